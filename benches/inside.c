/* What a program pays for its calls where it runs: a line for each, nanoseconds of one.
 *
 * Each call is made some thousand times, in batches; the fastest batch counts, for what
 * disturbs only slows down. It measures; it isolates nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *path;
static int ends[2];

static void need(int good)
{
    if (!good)
        exit(1);
}

static void a_getppid(void)
{
    syscall(SYS_getppid);
}

static void a_read(void)
{
    char byte = 0;
    need(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1);
}

static void a_stat(void)
{
    struct stat found;
    need(stat(path, &found) == 0);
}

static void an_open(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && close(fd) == 0);
}

static void a_pipe(void)
{
    int both[2];
    need(pipe(both) == 0 && close(both[0]) == 0 && close(both[1]) == 0);
}

static void a_fork(void)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    need(child > 0 && waitpid(child, &status, 0) == child);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static void measure(const char *name, void (*call)(void), int batch)
{
    double best = 1e18;
    for (int round = 0; round < 40; round++) {
        double start = now(), took;
        for (int i = 0; i < batch; i++)
            call();
        took = (now() - start) / batch;
        if (took < best)
            best = took;
    }
    printf("%s %.1f\n", name, best);
}

int main(int argc, char **argv)
{
    need(argc > 0);
    path = argv[0];
    need(pipe(ends) == 0);
    measure("getppid", a_getppid, 1000);
    measure("write+read", a_read, 300);
    measure("stat", a_stat, 300);
    measure("open+close", an_open, 200);
    measure("pipe+close", a_pipe, 100);
    measure("fork+wait", a_fork, 8);
    return 0;
}
