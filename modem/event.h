/* SPDX-License-Identifier: Apache-2.0 */
/* What a transport noticed beside the answers to its commands: bits of one word, set by the
 * transport, and taken out by whoever has dealt with them. */
#ifndef SIMKEY_MODEM_EVENT_H
#define SIMKEY_MODEM_EVENT_H

enum event {
    /* the modem restarted, or the card was reset: its channels are gone */
    EVENT_RESTARTED = 0x01,
    /* waking found the start-up forgotten, without a word of a restart: there may have been one */
    EVENT_FORGOT = 0x02,
    /* the same, found by an unexpected echo */
    EVENT_ECHOED = 0x04,
    /* a time-out passed with an answer outstanding: the next one may come too late for it */
    EVENT_LATE = 0x08,
    /* an answer came that nothing was asked for: answers may be off by one */
    EVENT_UNASKED = 0x10,
    /* the same, and it says something else than the last answer that was taken */
    EVENT_FOREIGN = 0x20,
    /* nothing of the last APDU went out */
    EVENT_WITHHELD = 0x40,
    /* an answer made no sense to whoever asked, who sets this too: before anything else is said the
     * transport makes sure that nothing is outstanding */
    EVENT_DOUBT = 0x80,
    /* the modem or the reader said that the SIM is gone, and its channels with it: as long as this is
     * set nothing more is said to it. Whoever opens a channel anew takes it out */
    EVENT_NO_SIM = 0x100,
    /* a result that nothing was asked for says the same: it may have been for one of ours, and the
     * channels be gone */
    EVENT_NO_SIM_HEARD = 0x200,
    /* commands that come too soon after a final result are lost: 20 ms apart they are not, or 100 ms */
    EVENT_GAP = 0x400,
    EVENT_LONG_GAP = 0x800,
    /* a command to the SIM was lost, once, and nothing explains it */
    EVENT_LOST = 0x1000,
    /* these are set too by whoever remembers them of an earlier operation */
    EVENTS_REMEMBERED = EVENT_GAP | EVENT_LONG_GAP | EVENT_LOST,
};

#endif
