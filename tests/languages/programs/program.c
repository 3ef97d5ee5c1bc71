/* One program for every question of tests/languages.rs. By hand: see README.md here. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (1 << 20)

/* Bytes of memory that are this process's own, as the kernel counts them. */
static long own_memory(void)
{
    long size, resident, shared;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%ld %ld %ld", &size, &resident, &shared) != 3)
        exit(3);
    fclose(statm);
    return (resident - shared) * sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "hello")) {
        long a, b;
        if (scanf("%ld %ld", &a, &b) != 2)
            return 3;
        printf("hello %ld\n", a + b);
    } else if (!strcmp(what, "fill") && argc == 4) {
        while (own_memory() < atol(argv[2])) {
            void *block = malloc(BLOCK);
            if (!block)
                return 4;
            memset(block, 1, BLOCK);
        }
        puts("filled");
        fflush(stdout);
        sleep(atoi(argv[3]));
    } else if (!strcmp(what, "loop")) {
        for (volatile unsigned n = 0;; n++) {
        }
    } else if (!strcmp(what, "sleep")) {
        sleep(60);
    } else if (!strcmp(what, "cpus")) {
        printf("%ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    } else {
        return 2;
    }
    return 0;
}
