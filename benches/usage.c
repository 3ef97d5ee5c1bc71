/* What a program and everything it leaves behind use: processor time and the largest
 * resident set of any one process.
 *
 *     usage FD PROGRAM [ARGUMENT…]
 *
 * writes "CPU_NS PEAK_KIB" to descriptor FD. It is a program of its own, because the
 * kernel counts the memory of whoever starts a program, until it is executed, as the
 * program's (getrusage(2), ru_maxrss): this one is as small as a process can be. As a
 * subreaper it waits also for what the program did not wait for (prctl(2)).
 *
 * It measures; it isolates nothing.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static long long ns(struct timeval time)
{
    return time.tv_sec * 1000000000ll + time.tv_usec * 1000ll;
}

int main(int argc, char **argv)
{
    char line[64];
    struct rusage used;
    int status, code = 125, fd = argc > 2 ? atoi(argv[1]) : -1;
    pid_t program, ended;
    if (fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return 125;
    program = vfork();
    if (program == 0) {
        close(fd);
        execve(argv[2], argv + 2, environ);
        _exit(125);
    }
    if (program < 0)
        return 125;
    while ((ended = wait(&status)) > 0)
        if (ended == program)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (getrusage(RUSAGE_CHILDREN, &used) < 0)
        return 125;
    int bytes = snprintf(line, sizeof line, "%lld %ld\n", ns(used.ru_utime) + ns(used.ru_stime),
                         used.ru_maxrss);
    if (write(fd, line, bytes) != bytes)
        return 125;
    return code;
}
