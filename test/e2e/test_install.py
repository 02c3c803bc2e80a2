# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts where and `make uninstall` takes away again, how the built files are
hardened, and that man pages and completion know what --help says."""

import grp
import os
import re

from fixture import BUILD, MODULE, PATH, ROOT, SANITIZED, SIMKEY, SIMMODEM, test
from test_readme import STAND_INS, tagged

SAFE2 = os.path.join(BUILD, "safe2")
TOOLS = (SIMKEY, SAFE2, SIMMODEM, os.path.join(BUILD, "simkey-agent"))
OPTION = r"(?<![\w-])--([A-Za-z][A-Za-z0-9-]*)"
COMPLETION = os.path.join(ROOT, "configs/install/completion.bash")

# Completes the words of its arguments: prints what bash would offer for the last one.
COMPLETE = """. "$COMPLETION"
read -r _ _ function _ < <(complete -p "${1##*/}")
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
$function "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def page_options(text):
    """The options that a page has an entry for."""
    return set(re.findall(r"^\.It Fl -([A-Za-z0-9-]+)", text, re.M))


def help_of(t, *command):
    return t.run([*command, "--help"]).out


def everything_below(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)


def make(t, *arguments):
    return t.run(["make", "-C", ROOT, "--no-print-directory", "-s", *arguments], seconds=300)


def modules_directory(t):
    return t.run(["pkg-config", "--variable=modulesdir", "libcrypto"]).out.strip()


# Man pages

@test
def the_pages_of_simkey_and_its_help_name_the_same(t):
    page = text_of("provider/tool/simkey.1")
    commands, options = page.split(".Sh OPTIONS")
    entries = re.split(r"^\.It Ic (\w+)", commands, flags=re.M)
    sections = dict(zip(entries[1::2], entries[2::2]))
    common = page_options(options.split(".Sh")[0])
    listed = re.findall(r"^simkey (\w+) ", help_of(t, SIMKEY), re.M)
    t.equal(sorted(sections), sorted(listed), "commands in the page")
    for command, section in sections.items():
        said = set(re.findall(OPTION, help_of(t, SIMKEY, command)))
        t.equal(page_options(section) | common, said, f"options of {command}")
        t.equal(set(re.findall(r"Fl -([A-Za-z0-9-]+)", section.split("\n")[0])), page_options(section),
                f"options in the head of {command}")


@test
def the_page_of_safe2_and_its_help_name_the_same(t):
    page, said = text_of("apdu/safe2/safe2.1"), help_of(t, SAFE2)
    t.equal(page_options(page), set(re.findall(OPTION, said)), "options")
    t.equal(sorted(re.findall(r"^\.It Ic (\w+)", page, re.M)),
            sorted(re.findall(r"^safe2 (\w+) ", said, re.M)), "commands")


@test
def the_page_of_simmodem_and_its_help_name_the_same(t):
    page, said = text_of("test/sim/simmodem.1"), help_of(t, SIMMODEM)
    t.equal(page_options(page), set(re.findall(OPTION, said)), "options")
    faults = re.findall(r"^  ([a-z0-9-]+)", said.split("\nFaults")[1].split("\nResult")[0], re.M)
    t.check(len(faults) > 40, "the faults in --help")
    t.equal(sorted(re.findall(r"^\.It Cm ([a-z0-9-]+)", page.split(".Sh FAULTS")[1].split(".Sh")[0], re.M)),
            sorted(faults), "faults")
    codes = re.findall(r"^  (0\w{3}) ", said.split("\nResult codes")[1], re.M)
    t.equal(re.findall(r"^\.It Cm (0\w{3})", page, re.M), codes, "result codes")


@test
def the_page_of_the_provider_names_all_settings(t):
    page = text_of("provider/provider-simkey.7")
    table = re.search(r"setting_names\[.*?\n};", text_of("apdu/settings.c"), re.S)[0]
    settings = re.findall(r'"([a-z-]+)"', table)
    wanted = [(name, "SIMKEY_" + name.upper().replace("-", "_")) for name in settings]
    t.equal(sorted(re.findall(r"^\.It Cm (\S+) , Ev (\S+)", page, re.M)), sorted(wanted), "settings")


@test
def the_man_pages_have_no_fault(t):
    for page in ("provider/tool/simkey.1", "apdu/safe2/safe2.1", "test/sim/simmodem.1", "provider/provider-simkey.7"):
        t.run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(ROOT, page)])


# Completion

def completed(t, *words, **more):
    done = t.run(["bash", "-c", COMPLETE, "bash", *words],
                 env=t.env(COMPLETION=COMPLETION, PATH=f"{BUILD}:{PATH}", **more))
    t.equal(done.err, "", "what the completion says")
    return [line for line in done.out.split("\n") if line]


@test
def bash_completes_commands_options_and_values(t):
    commands = re.findall(r"^simkey (\w+) ", help_of(t, SIMKEY), re.M)
    t.equal(sorted(completed(t, "simkey", "")), sorted(commands), "commands of simkey")
    t.equal(completed(t, "simkey", "doc"), ["doctor"], "a command begun")
    t.equal(completed(t, "simkey", "--timeout", "5", "clo"), ["close"], "a command behind an option")
    t.equal(completed(t, "simkey", "key", ""), ["signing", "available"], "what there is to export")
    t.equal(completed(t, "simkey", "pin", "ver"), ["verify"], "what to do with the PIN")
    for command in commands:
        t.equal(set(completed(t, "simkey", command, "--")),
                {"--" + option for option in re.findall(OPTION, help_of(t, SIMKEY, command))},
                f"options of {command}")
    t.equal(completed(t, "simkey", "pin", "--spend-last-try", "ver"), ["verify"], "behind a switch")
    t.equal(completed(t, "simkey", "info", "--session", ""), ["shared", "keep", "private"], "sessions")
    t.equal(completed(t, "simkey", "info", "--transport", "=", "cs"), ["csim"], "a value behind =")
    conf = t.write("simkey.conf", "device = /dev/x\n [second]\ndevice = /dev/y\n[third-1]\n")
    t.equal(completed(t, "simkey", "info", "--modem", "", SIMKEY_CONF=conf), ["second", "third-1"], "modems")
    t.equal(completed(t, SIMKEY, "clo"), ["close"], "simkey with its path")
    t.equal(completed(t, "safe2", ""), ["get", "send", "status"], "commands of safe2")
    t.equal(completed(t, "safe2", "get", "--ret"), ["--retries", "--retry-delay"], "options of safe2")
    t.equal(completed(t, "simmodem", "--key", "p"), ["p256", "p384"], "types of keys")
    t.equal(completed(t, "simmodem", "--fault", "half"), ["half-line", "half-late"], "faults")
    t.equal(completed(t, "simmodem", "--card", "c", "--cert", ""), ["plain", "compressed"], "choices")
    t.equal(set(completed(t, "simmodem", "--")),
            {"--" + option for option in re.findall(OPTION, help_of(t, SIMMODEM))}, "options of simmodem")


@test
def bash_completes_names_of_files(t):
    t.write("a file.pem", "")
    t.write("config.json", "")
    os.mkdir(t.path("cards"))
    t.equal(completed(t, "simkey", "cert", "--out", "a"), ["a file.pem"], "a file")
    t.equal(completed(t, "safe2", "send", "con"), ["config.json"], "a file to send")
    t.equal(completed(t, "simmodem", "--card", "c"), ["cards"], "a folder")
    t.equal(completed(t, "simkey", "info", "--pin-source", "con"), ["config.json"], "a PIN's source")


if not SANITIZED:  # as it is installed
    # Hardening

    @test
    def module_and_tools_are_hardened(t):
        for file in (MODULE, *TOOLS):
            head = t.run(["readelf", "-hlWd", file]).out
            t.says(head, [r"Type: +DYN", r"GNU_RELRO", r"BIND_NOW|Flags:.* NOW"])
            t.says(head, r"GNU_STACK +\S+ \S+ \S+ \S+ \S+ RW  ")
            t.silent(head, [r"\(RPATH\)", r"\(RUNPATH\)", r"\(TEXTREL\)"])
            if file != MODULE:
                t.says(head, r"FLAGS_1\).*PIE")
            symbols = t.run(["nm", "-D", "--undefined-only", file]).out
            t.says(symbols, [r"__stack_chk_fail", r"__\w+_chk\b"])

    @test
    def the_module_shows_nothing_but_its_entry(t):
        defined = t.run(["nm", "-D", "--defined-only", MODULE]).out.split("\n")
        t.equal([line.split()[-1] for line in defined if line], ["OSSL_provider_init"], "symbols")

    @test
    def the_module_needs_no_function_whose_name_programs_use_too(t):
        """The linker prefers a program's own function of that name: wpa_supplicant's crc32, for one."""
        zlib = t.run(["nm", "-D", "--defined-only", t.run(["ldd", MODULE]).out.split("libz.so.1 => ")[1].split()[0]])
        names = {line.split()[-1].split("@")[0] for line in zlib.out.split("\n") if line}
        needed = t.run(["nm", "-D", "--undefined-only", MODULE]).out.split("\n")
        used = {line.split()[-1].split("@")[0] for line in needed if line} & names
        t.equal(used, {"uncompress2"}, "functions of zlib")

    # Size

    SMALL = None if os.path.exists(os.path.join(BUILD, "small/flags")) else "CFLAGS were given"

    @test(left_out=SMALL)
    def the_module_is_small_and_has_nothing_that_only_the_tool_needs(t):
        functions = {line.split()[-1].split(".")[0] for line in t.run(["nm", MODULE]).out.split("\n") if " t " in line.lower()}
        t.check({"mias_sign", "sim_close"} <= functions, "functions that it needs")
        of_the_tool = {"sim_raw", "sim_probe", "sim_shut", "sim_registration", "outfile_write", "options_parse",
                       "mias_pin_change", "mias_pin_verify", "mias_list", "token_list", "token_close"}
        t.equal(functions & of_the_tool, set(), "functions of the tool")
        t.run(["strip", "-s", "-o", t.path("simkey.so"), MODULE])
        limit = int(re.search(r"MODULE_GCC=(\d+)", text_of("test/lint.sh"))[1])
        # The figure's compiler is Debian 12's, for amd64; the kernel's machine may be another than the module's.
        if "X86-64" in t.run(["readelf", "-h", MODULE]).out and "GCC: (Debian 12" in t.run(["readelf", "-p", ".comment", MODULE]).out:
            size = os.path.getsize(t.path("simkey.so"))
            t.check(size <= limit, f"{size} bytes, at most {limit}")

    @test
    def flags_that_are_given_are_taken_as_they_are(t):
        """dpkg-buildflags and those who have their own get no others for the module."""
        made = os.path.relpath(t.path("made"), ROOT)
        said = t.run(["make", "-n", "-C", ROOT, "CFLAGS=-O2 -g", f"OUT={made}", f"{made}/simkey.so"], env=dict(t.env(), CC="gcc")).out
        t.says(said, r"gcc .* -O2 -g .*-c -o \S+made/obj/provider/signature\.o")
        t.silent(said, ["-flto", "-Os", "-Oz", "/small/"])

    # Installation

    @test(seconds=300)
    def what_is_installed_works_and_uninstall_leaves_nothing(t):
        root = t.path("root")
        modules = modules_directory(t)
        where = (f"DESTDIR={root}", "PREFIX=/usr")
        make(t, "install", *where)
        there = everything_below(root)
        for name in ("usr/bin/simkey", "usr/bin/safe2", "usr/bin/simmodem", modules[1:] + "/simkey.so",
                     "usr/share/man/man1/simkey.1", "usr/share/man/man1/safe2.1",
                     "usr/share/man/man1/simmodem.1", "usr/share/man/man7/provider-simkey.7",
                     "usr/share/bash-completion/completions/simkey", "usr/lib/tmpfiles.d/simkey.conf",
                     "usr/share/doc/simkey/examples/openssl.cnf",
                     "usr/share/doc/simkey/examples/78-simkey.rules",
                     "usr/share/doc/simkey/examples/safe2/safe2.service"):
            t.check(name in there, f"{name} is not installed: {there}")
        t.equal([name for name in there if "debian" in name or "completion.bash" in name], [], "too much")
        t.says(t.read("root/usr/lib/tmpfiles.d/simkey.conf").decode(), 
               [r"(?m)^d /run/simkey 2770 root dialout", r"(?m)^d /var/lib/simkey 2770 root dialout"])
        t.says(t.read("root/usr/share/doc/simkey/examples/safe2/safe2.service").decode(), "=/usr/bin/safe2 ")
        conf = t.read("root/usr/share/doc/simkey/examples/openssl.cnf").decode()
        t.says(conf, "# module = " + re.escape(modules) + "/simkey.so")

        env = t.env(OPENSSL_MODULES=root + modules, PATH=f"{root}/usr/bin:{PATH}",
                    OPENSSL_CONF=root + "/usr/share/doc/simkey/examples/openssl.cnf")
        listed = t.run(["openssl", "list", "-providers"], env=env)
        t.says(listed.out, r"simkey\n +name: simkey: TLS keys in a SIM[^$]*status: active")
        sim = t.sim("p256")
        env.update(SIMKEY_DEVICE=sim.device, SIMKEY_PIN_SOURCE=t.pin_file())
        t.write("message", "a message")
        env.pop("OPENSSL_CONF")
        for command in ("simkey cert signing --out sim.crt", "simkey key signing --out sim.key",
                        "openssl dgst -provider default -provider simkey -sha256 -sign sim.key "
                        "-out message.sig message",
                        "openssl x509 -in sim.crt -noout -pubkey -out sim.pub",
                        "openssl dgst -sha256 -verify sim.pub -signature message.sig message"):
            t.run(command.split(), env=env)
        t.signatures(sim)
        for tool in ("safe2", "simmodem"):
            t.run([tool, "--version"], env=env)

        os.makedirs(t.path("root/usr/share/doc/another"))
        t.write("root/usr/share/doc/another/file", "")
        make(t, "uninstall", *where)
        t.equal(everything_below(root), ["usr/share/doc/another/file"], "what is left")
        t.check(not os.path.exists(t.path("root/usr/share/doc/simkey")), "the folder is left")

    @test
    def what_belongs_to_a_package_is_neither_overwritten_nor_taken_away(t):
        where = ("DESTDIR=", f"PREFIX={t.path('usr')}", f"MODULESDIR={t.path('modules')}")
        t.write("dpkg-query", f"#!/bin/sh\n[ $2 = {t.path('modules')}/simkey.so ] && echo simkey:amd64: $2\n", 0o755)
        env = t.env(PATH=f"{t.dir}:{PATH}")
        for target in ("install", "not-packaged"):
            done = t.run(["make", "-C", ROOT, "--no-print-directory", "-s", target, *where], env=env, expect="failure")
            t.says(done.err, "simkey.so belongs to the package simkey:amd64: sudo apt-get remove simkey:amd64 first")
        t.check(not os.path.exists(t.path("usr")) and not os.path.exists(t.path("modules")), "something was installed")
        said = t.run(["make", "-n", "-C", ROOT, "--no-print-directory", "uninstall", *where], env=env).out
        t.check(said.index("packaged.sh") < said.index("rm -f"), "uninstall asks first")
        make(t, "not-packaged", "DESTDIR=", f"PREFIX={t.path('usr')}", f"MODULESDIR={t.path('modules')}")

    @test(seconds=300)
    def a_package_is_looked_for_behind_each_file_that_is_installed(t):
        where = (f"PREFIX={t.path('usr')}", f"MODULESDIR={t.path('modules')}")
        make(t, "install", f"DESTDIR={t.path('root')}", *where)
        t.write("dpkg-query", f"#!/bin/sh\nshift\nprintf '%s\\n' \"$@\" >>{t.path('asked')}\nexit 1\n", 0o755)
        t.run(["make", "-C", ROOT, "--no-print-directory", "-s", "not-packaged", "DESTDIR=", *where],
              env=t.env(PATH=f"{t.dir}:{PATH}"))
        documents = t.path("usr/share/doc/simkey")  # uninstall takes the folder away
        installed = {documents if name.startswith(documents[1:] + "/") else "/" + name
                     for name in everything_below(t.path("root"))}
        t.equal(installed - set(t.read("asked").decode().split("\n")), set(), "files that no package is looked for behind")

    @test
    def a_package_owns_a_file_by_its_name_without_usr_too(t):
        """Debian 12's packages have their units in /lib, which is /usr/lib."""
        t.write("dpkg-query", "#!/bin/sh\nfor file; do [ $file != /lib/systemd/system/simkey-agent.socket ] || "
                "echo simkey-agent: $file; done\n", 0o755)
        command = ["sh", os.path.join(ROOT, "configs/install/packaged.sh")]
        env = t.env(PATH=f"{t.dir}:{PATH}")
        done = t.run([*command, "/usr/lib/systemd/system/simkey-agent.socket"], env=env, expect="failure")
        t.says(done.err, "/usr/lib/systemd/system/simkey-agent.socket belongs to the package simkey-agent:")
        t.run([*command, "/usr/local/lib/systemd/system/simkey-agent.socket"], env=env)

    @test(seconds=300)
    def install_makes_the_run_dir_at_once(t):
        """Else root's first use makes one that only root can read, and systemd's later one finds its files there."""
        t.write("systemd-tmpfiles", f"#!/bin/sh\necho \"$@\" >>{t.path('made')}\n", 0o755)
        env = t.env(PATH=f"{t.dir}:{PATH}")
        where = (f"PREFIX={t.path('usr')}", f"MODULESDIR={t.path('modules')}")
        command = ["make", "-C", ROOT, "--no-print-directory", "-s", "install", *where]
        t.run([*command, f"DESTDIR={t.path('root')}"], env=env, seconds=300)
        t.check(not os.path.exists(t.path("made")), "with DESTDIR nothing of this system is touched")
        t.run([*command, "DESTDIR="], env=env, seconds=300)
        t.equal(t.read("made").decode(), f"--create {t.path('usr')}/lib/tmpfiles.d/simkey.conf\n", "what systemd-tmpfiles did")

    @test
    def the_demo_installs_no_packages_of_the_tests(t):
        t.write("dpkg-query", "#!/bin/sh\nexit 1\n", 0o755)
        t.write("id", "#!/bin/sh\necho 1000\n", 0o755)
        t.write("sudo", '#!/bin/sh\necho "$@"\n', 0o755)
        t.write("apt-get", "#!/bin/sh\n", 0o755)
        t.write("systemctl", "#!/bin/sh\n", 0o755)
        env = t.env(PATH=f"{t.dir}:{PATH}")
        wanted = {what: set(re.search(r"--no-install-recommends (.*)", t.run(
            ["sh", os.path.join(ROOT, "test/deps.sh"), *what], env=env).out)[1].split()) for what in ((), ("demo",))}
        demo, tests = wanted[("demo",)], wanted[()]
        t.check(demo < tests, f"more than the tests need: {demo - tests}")
        t.equal(demo & {"valgrind", "hostapd", "opensc", "openvpn", "nodejs", "mosquitto", "pcscd", "libcunit1-dev"}, set(),
                "packages of the tests")
        used = set(re.findall(r"\b(nginx|stunnel4|haproxy|curl|openssl|mosquitto|nodejs)\b",
                              text_of("test/e2e/demo.sh") + text_of("test/e2e/demo_safe2.sh")))
        t.check(used <= demo, f"the demo uses {used}")
        t.check("deps.sh demo" in t.run(["make", "-n", "-C", ROOT, "demo"], env=t.env()).out, "make demo")

    @test(seconds=300)
    def every_command_of_the_readme_s_installation_works(t):
        """With a DESTDIR. The blocks of the packages are run by test/chroot/install.sh."""
        root, modules = t.path("root"), modules_directory(t)
        t.write("sudo", '#!/bin/sh\nexec "$@"\n', 0o755)
        t.write("make", f'#!/bin/sh\ncase $1 in *install) ;; *) exit 0 ;; esac\n'
                        f'exec /usr/bin/make -C {ROOT} -s "$@" DESTDIR={root}\n', 0o755)
        t.write("apt-get", STAND_INS["apt-get"].join(["#!/bin/bash\n", ""]), 0o755)
        env = t.env(PATH=f"{t.dir}:{root}/usr/local/bin:{PATH}", OPENSSL_MODULES=root + modules)
        os.mkdir(t.path("etc"))
        t.write("etc/openssl.cnf", text_of("configs/openssl.cnf").replace("# module = ", "module = "))
        t.write("etc/pin", "0000\n")
        for name in ("", "pin", "openssl.cnf"):  # as it was once
            if os.geteuid() == 0:
                os.chown(t.path("etc/" + name), 33, 33)
        os.symlink(t.write("another", "another's"), t.path("etc/link"))
        group = "dialout" if os.geteuid() == 0 else grp.getgrgid(os.getegid()).gr_name
        first, last = tagged("install")
        for text in (first, *tagged("services"), last):
            text = re.sub(r"(?<![\w.])/usr/local/", root + "/usr/local/", text)
            text = text.replace("/etc/simkey", t.path("etc")).replace("dialout", group)
            text = text.replace("root:root", f"{os.geteuid()}:{os.getegid()}")
            done = t.run(["bash", "-euo", "pipefail", t.write("block", text)], env=env)
            if "list -providers" in text:
                t.says(done.out, "TLS keys in a SIM")
            env["OPENSSL_CONF"] = t.path("etc/openssl.cnf")
        t.silent(t.read("etc/openssl.cnf").decode(), "(?m)^module")
        t.equal(os.stat(t.path("etc/pin")).st_mode & 0o777, 0o640, "the PIN file's mode")
        t.equal(sorted(os.listdir(t.path("etc"))), ["openssl.cnf", "pin"], "what is left in /etc/simkey")
        t.equal({os.stat(t.path("etc/" + name)).st_uid for name in ("", "pin", "openssl.cnf")}, {os.geteuid()},
                "the owner")
        t.equal(everything_below(root), [], "what is left")

    @test
    def all_programs_the_module_and_the_packages_have_one_version(t):
        version = re.search(r'"(.*)"', text_of("apdu/version.h"))[1]
        t.says(text_of("configs/debian/changelog").split("\n")[0], re.escape(f"simkey ({version}) "))
        openssl = t.run(["openssl", "version"]).out.split(" (")[0].strip()
        t.equal(t.run([SIMKEY, "--version"]).out.split("\n")[:2], [f"simkey {version}", openssl], "simkey")
        t.equal(t.run([SAFE2, "--version"]).out, f"safe2 {version}\n", "safe2")
        t.equal(t.run([SIMMODEM, "--version"]).out, f"simmodem {version}\n", "simmodem")
        listed = t.run(["openssl", "list", "-providers", "-provider-path", BUILD, "-provider", "simkey", "-verbose"])
        t.says(listed.out, [f"version: {re.escape(version)}\n", f"build info: {re.escape(version)} for OpenSSL "])
