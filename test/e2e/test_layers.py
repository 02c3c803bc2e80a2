# SPDX-License-Identifier: Apache-2.0
"""The lint's look at the arrows between files (test/layers.py): each kind of fault is found in a small tree
that is clean without it."""

import os

from fixture import PYTHON, ROOT, test

CLEAN = {
    "modem/wire.h": "int wire_send(int octet);\n",
    "modem/wire.c": '#include "modem/wire.h"\nint wire_send(int octet) { return octet; }\n',
    "modem/line.h": "int line_send(int (*each)(int));\n",
    "modem/line.c": '#include "modem/line.h"\n#include "modem/wire.h"\n'
                    "int line_send(int (*each)(int)) { return each(wire_send(1)); }\n",
    "apdu/sim.h": '#include "modem/line.h"\nint sim_open(void);\n',
    "apdu/card/read.h": "int card_read(void);\n",
    "apdu/card/read.c": '#include "apdu/card/read.h"\n#include "modem/line.h"\n'
                        "static int twice(int n) { return 2 * n; }\n"
                        "int card_read(void) { return line_send(twice); }\n",
    "apdu/applet/keys.h": "int keys_list(void);\n",
    "apdu/applet/keys.c": '#include "apdu/applet/keys.h"\n#include "apdu/card/read.h"\n'
                          "int keys_list(void) { return card_read(); }\n",
    "apdu/session/sim.c": '#include "apdu/applet/keys.h"\n#include "apdu/sim.h"\n'
                          "int sim_open(void) { return keys_list(); }\n",
    "apdu/safe2/main.c": '#include "apdu/sim.h"\nint safe2_get(void);\nint safe2_get(void) { return sim_open(); }\n',
    "provider/sign.c": '#include <openssl/evp.h>\n#include "apdu/sim.h"\nint sign_it(void);\n'
                       "int sign_it(void) { return sim_open(); }\n",
    "provider/tool/tool.h": "int tool_say(void);\nint tool_doctor(void);\n",
    "provider/tool/say.c": '#include "provider/tool/tool.h"\nint tool_say(void) { return 0; }\n',
    "provider/tool/main.c": '#include "provider/tool/tool.h"\nint main(void) { return tool_doctor(); }\n',
    "provider/tool/doctor/all.c": '#include "provider/tool/tool.h"\nint tool_doctor(void) { return tool_say(); }\n',
}

# sentence: files in the place of the clean ones, what is said
FAULTS = {
    "a circle of calls": (
        {"modem/wire.c": "int line_send(int (*each)(int));\nint wire_send(int o) { return line_send(wire_send) + o; }\n"},
        r"a circle: modem/line\.c -> modem/wire\.c \(wire_send\) -> modem/line\.c \(line_send\)"),
    "a circle through a table of functions": (
        {"modem/wire.c": "extern int (*const line_table[])(int);\nint wire_send(int o) { return line_table[0](o); }\n",
         "modem/line.c": "int wire_send(int o);\nint line_send(int (*each)(int));\nextern int (*const line_table[])(int);\n"
                         "int (*const line_table[])(int) = {0};\n"
                         "int line_send(int (*each)(int)) { return each(wire_send(1)); }\n"},
        r"a circle: modem/line\.c -> modem/wire\.c \(wire_send\) -> modem/line\.c \(line_table\)"),
    "a circle of three": (
        {"provider/a.c": "int b(void);\nint a(void);\nint a(void) { return b(); }\n",
         "provider/b.c": "int c(void);\nint b(void);\nint b(void) { return c(); }\n",
         "provider/c.c": "int a(void);\nint c(void);\nint c(void) { return a(); }\n"},
        r"a circle: provider/a\.c -> provider/b\.c \(b\) -> provider/c\.c \(c\) -> provider/a\.c \(a\)"),
    "a circle of headers": (
        {"modem/wire.h": '#ifndef W\n#define W\n#include "modem/line.h"\nint wire_send(int octet);\n#endif\n',
         "modem/line.h": '#ifndef L\n#define L\n#include "modem/wire.h"\nint line_send(int (*each)(int));\n#endif\n'},
        r"a circle: modem/line\.h -> modem/wire\.h \(#include\) -> modem/line\.h"),
    "an include upwards": (
        {"apdu/card/read.h": '#include "apdu/applet/keys.h"\nint card_read(void);\n'},
        r"apdu/card/read\.h includes apdu/applet/keys\.h: apdu/card is below apdu/applet"),
    "an include of apdu in modem": (
        {"modem/wire.h": '#include "apdu/sim.h"\nint wire_send(int octet);\n'},
        r"modem/wire\.h includes apdu/sim\.h: modem is below apdu"),
    "a call upwards": (
        {"apdu/applet/keys.c": "int record(void);\nint keys_list(void);\nint keys_list(void) { return record(); }\n",
         "apdu/session/record.c": "int record(void);\nint record(void) { return 0; }\n"},
        r"apdu/applet/keys\.c: apdu/applet is below apdu/session, but uses record of apdu/session/record\.c"),
    "the module includes a folder of apdu": (
        {"provider/sign.c": '#include "apdu/applet/keys.h"\nint sign_it(void);\nint sign_it(void) { return keys_list(); }\n'},
        r"provider/sign\.c includes apdu/applet/keys\.h: provider/ includes apdu/\*\.h and modem/\*\.h"),
    "a header of apdu includes a folder of it": (
        {"apdu/sim.h": '#include "apdu/card/read.h"\nint sim_open(void);\n'},
        r"apdu/sim\.h includes apdu/card/read\.h: a header of apdu/ includes nothing of a folder"),
    "the module includes the tool": (
        {"provider/sign.c": '#include "provider/tool/tool.h"\nint sign_it(void);\nint sign_it(void) { return 1; }\n'},
        r"provider/sign\.c includes provider/tool/tool\.h: provider is below provider/tool"),
    "the module uses the tool": (
        {"provider/sign.c": "int tool_say(void);\nint sign_it(void);\nint sign_it(void) { return tool_say(); }\n"},
        r"provider/sign\.c: provider is below provider/tool, but uses tool_say"),
    "the tool uses a program": (
        {"provider/tool/say.c": "int safe2_get(void);\nint tool_say(void);\nint tool_say(void) { return safe2_get(); }\n"},
        r"a program's folder is its own, but safe2_get of apdu/safe2/main\.c is used"),
    "the product includes a test": (
        {"modem/wire.h": '#include "test/check.h"\n', "test/check.h": "int wire_send(int octet);\n"},
        r"modem/wire\.h includes test/check\.h: .*is in no layer"),
    "OpenSSL in modem": (
        {"modem/wire.c": "#include <openssl/evp.h>\nint wire_send(int o);\nint wire_send(int o) { return o; }\n"},
        r"modem/wire\.c includes <openssl/evp\.h>: OpenSSL is provider/'s matter"),
}


class Tree:
    def __init__(self, t):
        self.t = t
        for name, text in CLEAN.items():
            self.put(name, text)

    def put(self, name, text):
        """Writes a file, and compiles it if it is one to compile."""
        for folder in ("tree", "objects"):
            os.makedirs(os.path.dirname(self.t.path(f"{folder}/{name}")), exist_ok=True)
        path = self.t.write(f"tree/{name}", text)
        if name.endswith(".c"):
            self.t.run(["gcc", "-w", "-I", self.t.path("tree"), "-c", "-o",
                        self.t.path(f"objects/{name[:-2]}.o"), path], preload=False)

    def remove(self, name):
        os.remove(self.t.path(f"tree/{name}"))

    def said(self, status):
        return self.t.run([PYTHON, os.path.join(ROOT, "test/layers.py"), self.t.path("objects"),
                           self.t.path("tree")], expect=status, preload=False).out


@test(seconds=300)
def each_arrow_that_is_against_the_rules_is_said_alone(t):
    tree = Tree(t)
    t.equal(tree.said(0), "", "what is said of the clean tree")
    for sentence, (files, words) in FAULTS.items():
        for name, text in files.items():
            tree.put(name, text)
        said = tree.said(1)
        t.says(said, words)
        t.equal(len(said.splitlines()), 1, f"{sentence}: lines of\n{said}")
        for name in files:
            tree.put(name, CLEAN[name]) if name in CLEAN else tree.remove(name)
    t.equal(tree.said(0), "", "what is said of the clean tree at the end")


@test
def a_file_without_an_object_is_said(t):
    Tree(t)
    os.remove(t.path("objects/modem/wire.o"))
    t.says(t.run([PYTHON, os.path.join(ROOT, "test/layers.py"), t.path("objects"), t.path("tree")], expect=1,
                 preload=False).err, "modem/wire.o: build first")
