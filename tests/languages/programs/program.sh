#!/bin/bash
# One program for every question of tests/languages.rs. By hand: see README.md here.

LC_ALL=C # the length of a string is its bytes, and copying it is fast

# Bytes of memory that are this process's own, as the kernel counts them.
own_memory() {
    local _ resident shared
    read -r _ resident shared _ </proc/$$/statm
    own=$(((resident - shared) * 4096))
}

case ${1-} in
hello)
    read -r a b
    echo "hello $((a + b))"
    ;;
fill)
    printf -v block '%1048576s' x
    blocks=()
    own_memory
    while [ "$own" -lt "$2" ]; do
        blocks+=("$block")
        own_memory
    done
    echo filled
    sleep "$3"
    ;;
loop)
    while :; do :; done
    ;;
sleep)
    sleep 60
    ;;
cpus)
    nproc
    ;;
*)
    exit 2
    ;;
esac
