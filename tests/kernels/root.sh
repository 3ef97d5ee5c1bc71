# The root file system of the virtual machine: programs of this machine, and what
# cargo built here. Sourced by `run`. It must not need root, nor any package that
# `.ci/run` does not install. shellcheck shell=bash

# Packages of the system whose programs the tests run.
packages=(bash coreutils dash findutils grep hostname libc-bin mount perl-base procps sed
    util-linux python3-minimal)

# Makes $1 the directory of the root, from the packages, the tests and the product.
make_root() { # DIRECTORY
    local root=$1 file library
    rm -rf "$root"
    mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},etc,home/user,tmp,root,var/tmp}
    for file in bin sbin lib lib64; do
        ln -s "usr/$file" "$root/$file"
    done
    printf 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\ntty:x:5:\nuser:x:1000:\n' >"$root/etc/group"
    printf 'root:*:19000:0:99999:7:::\n' >"$root/etc/shadow"
    printf '127.0.0.1 localhost kernels\n' >"$root/etc/hosts"
    cp /etc/ld.so.cache "$root/etc/"

    package_files | while read -r file; do
        put "$root" "$file" "$file"
    done
    put "$root" /bin/sh /usr/bin/sh
    # As a user's manager, which tests ask for a scope.
    put "$root" /usr/lib/systemd/systemd /usr/lib/systemd/systemd
    for file in "${binary[@]}"; do
        put "$root" "$file" "$file"
        strip --strip-debug "$root$file"
    done
    put "$root" "$product" "$compiled_in"
    # What the test binaries read of the sources, at its place.
    mkdir -p "$root$here"
    git -C "$here" ls-files -z -- tests policies examples docs README.md |
        tar -C "$here" --null -T - -cf - | tar -C "$root$here" -xf -
    libraries "$root" | while read -r library; do
        put "$root" "$library" "$library"
    done
}

# Programs and what they load besides libraries, as merged /usr has them.
package_files() {
    local interpreter
    interpreter=$(basename "$(realpath /usr/bin/python3)")
    dpkg-query -L "${packages[@]}" "$interpreter-minimal" \
        "lib$interpreter-minimal" "lib$interpreter-stdlib" |
        sed -E 's#^/(bin|sbin|lib|lib64)/#/usr/\1/#' |
        grep -E '^/usr/(s?bin/|lib/python3|lib/locale/C.utf8/|lib/[^/]*/perl-base/)' | grep -v __pycache__ | sort -u
}

# One file with the directories above it; links as links.
put() { # ROOT FROM TO
    [ -f "$2" ] || [ -L "$2" ] || return 0
    mkdir -p "$1${3%/*}"
    cp -P --preserve=mode "$2" "$1$3"
}

# The shared libraries of all programs there, and the loader, behind every link.
libraries() { # ROOT
    { find "$1/usr" -type f -perm /111 && printf '%s\n' "${binary[@]}" "$product"; } |
        # Scripts have none, for which ldd fails.
        sed "s#^$1##" | { xargs ldd 2>/dev/null || true; } |
        sed -nE 's#^.*(=> |\t)(/[^ ]+) \(0x.*#\2#p' | sort -u |
        while read -r library; do
            library=$(echo "$library" | sed -E 's#^/(lib|lib64)/#/usr/\1/#')
            echo "$library"
            realpath "$library"
        done | sort -u
}

# What the kernel unpacks first: the first process, its jobs, and the root.
make_initramfs() { # ROOT KERNEL FILE
    local first=$kernels/$2/first file
    rm -rf "$first"
    mkdir -p "$first/boot" "$first/proc" "$first/guest"
    cp "$(command -v busybox)" "$first/boot/busybox"
    for file in "$kernels/$2"/*.ko; do
        [ ! -e "$file" ] || cp "$file" "$first/boot/"
    done
    cp "$here/tests/kernels/init" "$first/init"
    cp -r "$kernels/$2/todo" "$first/guest/jobs"
    # In place of what .ci/run requires: what this machine has for certain.
    echo cgroup2 >"$first/guest/require"
    pack "$1" "$first/root.cpio"
    pack "$first" "$3"
    rm -rf "$first"
}

pack() { # DIRECTORY FILE
    (cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --null -o -H newc -R 0:0 --quiet) >"$2.new"
    mv "$2.new" "$2"
}
