"""One program for every question of tests/languages.rs. By hand: see README.md here."""
import os
import sys
import time


def own_memory():
    """Bytes of memory that are this process's own, as the kernel counts them."""
    with open("/proc/self/statm") as statm:
        pages = statm.read().split()
    return (int(pages[1]) - int(pages[2])) * 4096


match sys.argv[1:]:
    case ["hello"]:
        print("hello", sum(map(int, input().split())))
    case ["fill", target, seconds]:
        blocks = []
        while own_memory() < int(target):
            blocks.append(bytearray(b"x") * (1 << 20))
        print("filled", flush=True)
        time.sleep(int(seconds))
    case ["loop"]:
        while True:
            pass
    case ["sleep"]:
        time.sleep(60)
    case ["cpus"]:
        print(os.cpu_count())
    case _:
        sys.exit(2)
