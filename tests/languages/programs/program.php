<?php
// One program for every question of tests/languages.rs. By hand: see README.md here.

// Bytes of memory that are this process's own, as the kernel counts them.
function own_memory(): int
{
    [, $resident, $shared] = explode(' ', file_get_contents('/proc/self/statm'));
    return ((int) $resident - (int) $shared) * 4096;
}

switch ($argv[1] ?? '') {
    case 'hello':
        fscanf(STDIN, '%d %d', $a, $b);
        // A function of an extension that Debian keeps in a file of its own.
        echo 'hello ', ctype_digit("$a$b") ? $a + $b : 'without ctype', "\n";
        break;
    case 'fill':
        $blocks = [];
        while (own_memory() < (int) $argv[2]) {
            $blocks[] = str_repeat('x', 1 << 20);
        }
        echo "filled\n";
        sleep((int) $argv[3]);
        break;
    case 'loop':
        while (true) {
        }
    case 'sleep':
        sleep(60);
        break;
    default:
        exit(2);
}
