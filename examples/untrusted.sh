#!/bin/sh
# What a program might try that nobody has read. It is harmless where it works,
# so compare: `sh examples/untrusted.sh`, and the same under `sandbox`.

try() { # WHAT COMMAND…: the command's last line, or its first complaint
    what=$1
    shift
    if answer=$("$@" 2>&1); then
        printf 'WORKS    %-22s %s\n' "$what" "$(echo "$answer" | tail -n 1)"
    else
        printf 'refused  %-22s %s\n' "$what" "$(echo "$answer" | head -n 1)"
    fi
}

echo "I am $(id -un), uid $(id -u), process $$ on $(uname -n)"
try "read other files"     ls "$(dirname "$0")/judge.rs"
try "change a program"      touch -c /usr/bin/env
try "leave a file"          touch /var/tmp
try "identify the machine"  cat /proc/sys/kernel/random/boot_id
try "read the kernel's log" dmesg
try "open a connection"     bash -c ': < /dev/udp/127.0.0.1/9'
try "become root"           unshare --user --map-root-user true
try "compute"               expr 6 '*' 7
try "use scratch space"     sh -c 'f=$(mktemp) && echo "$f" && rm "$f"'
