/* SPDX-License-Identifier: Apache-2.0 */
/* The model test of the session: random walks of programs, real code, against the model of model.h.
 * SEED=n begins with that walk, STEPS=n takes so many steps in all; a failure says its seed, which
 * repeats it, and shows its last steps as a dialogue. */
#include "test/fuzz/fuzz.h"
#include "test/fuzz/line.h"
#include "test/unit/model.h"
#include "test/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STEPS_IN_ALL  10000
#define STEPS_OF_WALK 100

/* What line.c needs of the fuzz targets. */
void require_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

FILE *proc_fopen(const char *path, const char *mode); /* see redirect.h */
FILE *proc_fopen(const char *path, const char *mode)
{
    return fopen(path, mode);
}

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* Memory that the programs' processes share. */
static void *share_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory != MAP_FAILED ? memory : NULL;
}

static void show_dialogue(const struct model *model)
{
    unsigned first = model->steps > MODEL_STEPS_SHOWN ? model->steps - MODEL_STEPS_SHOWN + 1 : 0;

    for (unsigned i = first; i <= model->steps; i++)
        (void)fputs(model->dialogue[i % MODEL_STEPS_SHOWN], stderr);
}

static void add_up(struct model *sum, const struct model *model)
{
    for (int i = 0; i < FAULTS; i++)
        sum->struck[i] += model->struck[i];
    for (int i = 0; i < ACTS; i++)
        sum->acts[i] += model->acts[i];
    sum->signatures += model->signatures;
    sum->iotsafe_signatures += model->iotsafe_signatures;
    sum->steps += model->steps;
}

/* A walk that meets nothing proves nothing. */
static void check_variety(const struct model *sum)
{
    for (int i = FAULT_NONE + 1; i < FAULTS; i++)
        if (sum->struck[i] == 0)
            FAIL("nothing met the fault \"%s\"", fault_name((enum model_fault)i));
    for (int i = 0; i < ACTS; i++)
        if (sum->acts[i] == 0)
            FAIL("no program %s", act_name((enum model_act)i));
    if (sum->signatures + sum->iotsafe_signatures < sum->steps / 5 ||
        sum->iotsafe_signatures < sum->steps / 20)
        FAIL("only %u and %u signatures in %u steps", sum->signatures, sum->iotsafe_signatures,
             sum->steps);
}

static void programs_that_share_a_sim_do_no_harm(void)
{
    unsigned seed = number_from("SEED", 1), steps = number_from("STEPS", STEPS_IN_ALL);
    struct model *model = share_memory(sizeof *model), *sum = share_memory(sizeof *sum);
    void *line = share_memory(line_size());
    bool good = true;

    if (model == NULL || sum == NULL || line == NULL) {
        FAIL("no memory to share: %s", strerror(errno));
        return;
    }
    line_place(line);
    for (; good && sum->steps < steps; seed++) {
        good = model_walk(model, seed, STEPS_OF_WALK);
        add_up(sum, model);
    }
    if (!good) {
        show_dialogue(model);
        FAIL("SEED=%u, step %u of its walk, %u in all: %s", model->walk_seed, model->steps,
             sum->steps, model->failure);
    } else if (steps >= STEPS_IN_ALL) {
        check_variety(sum);
    }
    if (getenv("UNIT_VERBOSE") != NULL)
        (void)fprintf(stderr, "%u steps, %u signatures, %u of IoT SAFE\n", sum->steps,
                      sum->signatures, sum->iotsafe_signatures);
    (void)munmap(line, line_size());
    (void)munmap(model, sizeof *model);
    (void)munmap(sum, sizeof *sum);
}

/* Walks that found something, each another kind of it, beyond those of the test above. */
static void walks_that_found_something_find_nothing(void)
{
    static const unsigned seeds[] = {112,   469,   471,   633,   640,    892,    979,   1098,
                                     1119,  1578,  1626,  1642,  1785,   1879,   1975,  2259,
                                     2484,  2818,  5178,  9030,  20032,  20141,  20879, 21019,
                                     21293, 21493, 30022, 30311, 820000, 820346, 990088};
    struct model *model = share_memory(sizeof *model);
    void *line = share_memory(line_size());

    if (model == NULL || line == NULL) {
        FAIL("no memory to share: %s", strerror(errno));
        return;
    }
    line_place(line);
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
        if (!model_walk(model, seeds[i], STEPS_OF_WALK)) {
            show_dialogue(model);
            FAIL("SEED=%u, step %u: %s", model->walk_seed, model->steps, model->failure);
            break;
        }
    (void)munmap(line, line_size());
    (void)munmap(model, sizeof *model);
}

void add_model_suite(void)
{
    static const struct test tests[] = {
        TEST(programs_that_share_a_sim_do_no_harm),
        TEST(walks_that_found_something_find_nothing),
    };

    ADD_SUITE("model", tests);
}
