#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Publishes a line of standard input as an MQTT message each, by mutual TLS with the SIM's key: paho, the
library of most MQTT programs in Python. paho in C takes the same files."""
import sys

import paho.mqtt.publish

for line in sys.stdin:
    paho.mqtt.publish.single(
        "hello", line.strip(), qos=1, hostname="broker.example", port=8883,
        tls={"ca_certs": "/etc/ssl/certs/ca-certificates.crt",
             "certfile": "/etc/simkey/sim.crt", "keyfile": "/etc/simkey/sim.key"})
