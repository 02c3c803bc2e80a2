# SPDX-License-Identifier: Apache-2.0
"""The guest of the test on a USB port, as a kernel and an initramfs in build/usb/.

Kernel, udev and busybox are Debian's packages, fetched and unpacked here and not installed; they
are kept between runs. The programs under test, openssl and their libraries are this machine's own:
both sides are the same release. What happens in the guest is told in init.sh and run.py."""

import glob
import os
import re
import shutil
import subprocess

from fixture import BUILD, PATH, ROOT, Failure

WORK = os.path.join(BUILD, "usb")
PACKAGES = os.path.join(WORK, "packages")
SYSTEM = os.path.join(WORK, "system")  # what was unpacked
GUEST = os.path.join(WORK, "guest")    # the guest's root
HERE = os.path.dirname(os.path.abspath(__file__))

# The guest's own numbers: QEMU's usb-serial is an FTDI adapter. The modem's serial number is ours.
SERIAL = "MODEM1"
BY_ID = f"/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_{SERIAL}-if00-port0"

MODULES = ["common/*", "core/*", "host/xhci*", "serial/usbserial.*", "serial/ftdi_sio.*"]
PROGRAMS = ["/usr/bin/openssl", "/usr/bin/setpriv"]

# Debian's numbers; the groups are those that udev's rules name.
PASSWD = """root:x:0:0::/root:/bin/sh
user:x:1000:1000::/home/user:/bin/sh
stranger:x:1001:1001::/tmp:/bin/sh
"""
GROUPS = {"root": 0, "tty": 5, "disk": 6, "lp": 7, "kmem": 15, "dialout": 20, "cdrom": 24, "tape": 26,
          "audio": 29, "video": 44, "input": 101, "sgx": 102, "kvm": 103, "render": 104,
          "user": 1000, "stranger": 1001}


def call(*command, cwd=None, seconds=300):
    """Runs a program of this machine; gives what it wrote."""
    try:
        done = subprocess.run(command, cwd=cwd, env={**os.environ, "LC_ALL": "C", "PATH": PATH},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise Failure(f"{' '.join(command)}: {wrong}")
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}\n  status {done.returncode}\n"
                      f"{done.stderr.decode('latin1')[-2000:]}")
    return done.stdout.decode("latin1")


def kernel_package():
    """linux-image-amd64 is an empty package that names the real one."""
    about = call("apt-cache", "show", "--no-all-versions", "linux-image-amd64")
    found = re.search(r"^Depends:.*?(linux-image-[0-9]\S+)", about, re.M)
    if not found:
        raise Failure("linux-image-amd64 names no kernel:\n" + about)
    return found[1]


def fetch():
    """Debian's packages, unless they are here already."""
    done = os.path.join(PACKAGES, "complete")
    if os.path.exists(done):
        return
    if call("dpkg", "--print-architecture").strip() != "amd64":
        raise Failure("the guest is Debian's amd64: this test runs on such a machine only")
    shutil.rmtree(PACKAGES, ignore_errors=True)
    os.makedirs(PACKAGES)
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    for last in (False, True):
        try:
            call("apt-get", "download", "-q", *sandbox, kernel_package(), "udev", "busybox-static",
                 cwd=PACKAGES)
            break
        except Failure:
            if last:
                raise
            call("apt-get" if os.geteuid() == 0 else "sudo",
                 *([] if os.geteuid() == 0 else ["-n", "apt-get"]), "update", "-q")
    with open(done, "w", encoding="ascii"):
        pass


def unpack(package, *patterns):
    """Unpacks those files of a package whose names match."""
    files = glob.glob(os.path.join(PACKAGES, package + "_*.deb"))
    if len(files) != 1:
        raise Failure(f"{PACKAGES} holds {len(files)} packages {package}; remove it")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", files[0]], stdout=subprocess.PIPE) as source:
        subprocess.run(["tar", "-x", "-C", SYSTEM, "--no-same-owner", "--keep-directory-symlink",
                        "--wildcards", *patterns], stdin=source.stdout, timeout=300, check=True)


def merge_usr(root):
    """/bin and the like as links, as Debian has them."""
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(os.path.join(root, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(root, name))


def system():
    """Kernel, modules, udev and busybox, unless they are here already. Gives the kernel."""
    done = os.path.join(SYSTEM, "complete")
    if not os.path.exists(done):
        shutil.rmtree(SYSTEM, ignore_errors=True)
        merge_usr(SYSTEM)
        unpack("linux-image-[0-9]*", "./boot/vmlinuz-*", "*/modules.builtin*", "*/modules.order",
               *(f"*/kernel/drivers/usb/{name}" for name in MODULES))
        unpack("udev", "*/udevadm", "*/lib/udev/*")
        unpack("busybox-static", "*/busybox")
        release, = os.listdir(os.path.join(SYSTEM, "usr/lib/modules"))
        call("/sbin/depmod", "-b", SYSTEM, release)
        with open(done, "w", encoding="ascii"):
            pass
    return glob.glob(os.path.join(SYSTEM, "boot/vmlinuz-*"))[0]


def libraries(program):
    """What the dynamic linker will look for, as paths of this machine."""
    said = call("ldd", program)
    missing = re.findall(r"(\S+) => not found", said)
    if missing:
        raise Failure(f"{program} needs {' '.join(missing)}, which this machine lacks")
    return re.findall(r"(/\S+) \(0x", said)


def put(path, text, mode=0o644):
    """A file of the guest."""
    path = os.path.join(GUEST, path.lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def copy(source, target=None):
    """A file of this machine, by default to the same place in the guest."""
    path = os.path.join(GUEST, (target or source).lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(source, path)


def configs(name):
    with open(os.path.join(ROOT, "configs", name), encoding="utf-8") as file:
        return file.read()


def adapted(text, *changes):
    """Text in which each of the words that a user adapts is another one."""
    for old, new in changes:
        if old not in text:
            raise Failure(f"configs/ does not say {old} any more")
        text = text.replace(old, new)
    return text


def settings():
    """What a user writes: see "With a real modem" and "ModemManager" in README.md."""
    put("/etc/simkey/openssl.cnf", adapted(configs("openssl.cnf"), ("# module = ", "module = ")))
    put("/etc/simkey/simkey.conf", adapted(configs("simkey.conf"), ("/dev/ttyUSB2", BY_ID)))
    put("/etc/simkey/pin", "0000\n", 0o640)
    put("/etc/udev/rules.d/78-simkey.rules",
        adapted(configs("78-simkey.rules"), ('"2c7c"', '"0403"'), ('"0125"', '"6001"'),
                ('ID_USB_INTERFACE_NUM}=="02"', 'ID_USB_INTERFACE_NUM}=="00"')))
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "home/user", "usr/local/bin"):
        os.makedirs(os.path.join(GUEST, name))
    put("/etc/passwd", PASSWD)
    put("/etc/group", "".join(f"{name}:x:{number}:\n" for name, number in GROUPS.items()))


def build(server):
    """Makes the initramfs; server: the folder of the server's certificates. Gives kernel and
    initramfs."""
    fetch()
    kernel = system()
    shutil.rmtree(GUEST, ignore_errors=True)
    shutil.copytree(SYSTEM, GUEST, symlinks=True, ignore=shutil.ignore_patterns("boot", "complete"))
    for name in ("simkey", "simkey.so"):
        copy(os.path.join(BUILD, name), f"/opt/simkey/build/{name}")
    for name in ("again", "half.so"):
        copy(os.path.join(WORK, name), f"/opt/simkey/build/{name}")
    for name in sorted(os.listdir(server)):
        copy(os.path.join(server, name), f"/etc/server/{name}")
    copy(os.path.join(HERE, "init.sh"), "/init")
    os.chmod(os.path.join(GUEST, "init"), 0o755)
    for program in PROGRAMS:
        copy(program)
    os.symlink("busybox", os.path.join(GUEST, "bin/sh"))
    os.symlink("/usr/bin/udevadm", os.path.join(GUEST, "sbin/systemd-udevd"))
    for program in [*PROGRAMS, os.path.join(GUEST, "usr/bin/udevadm"),
                    *glob.glob(os.path.join(GUEST, "opt/simkey/build/*"))]:
        for library in libraries(program):
            copy(library)
    settings()
    archive = os.path.join(WORK, "initramfs")
    with open(archive, "wb") as out:
        names = "\0".join(sorted(os.path.relpath(os.path.join(folder, name), GUEST)
                                 for folder, folders, files in os.walk(GUEST)
                                 for name in folders + files))
        subprocess.run(["cpio", "-0", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=GUEST,
                       input=names.encode(), stdout=out, timeout=300, check=True)
    return kernel, archive
