/* The floor: the least that a launch with the layers of a plan can cost on this
 * kernel. It is a measure, not a sandbox: it checks nothing but errors, confirms
 * nothing, keeps no limit of time, memory or output, reports nothing, and believes
 * every byte of its plan. Never run anything with it that you do not trust.
 *
 *     floor PLAN
 *     floor PLAN SECONDS
 *
 * With SECONDS it launches one program after the other for that long, all layers but the
 * network namespace (which a pool uses again) anew for each, and prints how many, and the
 * microseconds of processor time of all of it.
 *
 * PLAN is written by the benchmark (cold/floor.rs, which has the same list of kinds):
 * records as `struct record` below, in the order of use, each a multiple of eight
 * bytes. Parsing is a read(2) and pointer arithmetic; strings are used where they lie.
 *
 * Where the kernel has several ways to the same result, this takes the one with the
 * fewest calls: mount(2) and mount_setattr(2) by path (no descriptors, no anonymous
 * mount namespace as open_tree(2) makes), maps written by the child itself (nothing
 * to wait for), and no second process unless the plan asks for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The same on every architecture since Linux 5.0; C libraries know them later. */
#define NR_clone3 435
#define NR_close_range 436
#define NR_mount_setattr 442
#define NR_landlock_create_ruleset 444
#define NR_landlock_add_rule 445
#define NR_landlock_restrict_self 446

#define NEWTIME 0x00000080
#define NEWCGROUP 0x02000000
#define CLEAR_SIGHAND 0x100000000ull
#define RECURSIVE 0x8000 /* AT_RECURSIVE */
#define ATTR_RDONLY 1

/* As in cold/floor.rs. */
enum kind {
    END,         /* of the plan */
    UID_MAP,     /* text: the line */
    GID_MAP,     /* text: the line */
    HOSTNAME,    /* text */
    ROOT,        /* a: mount(2) flags; text: options of the tmpfs */
    DIRECTORY,   /* a: mode; text: path, relative to the new root as all below */
    REGULAR,     /* a: mode; b: bytes of content; text: path, content */
    SYMLINK,     /* text: target, path */
    TMPFS,       /* a: mount(2) flags; text: options, path */
    PROC,        /* a: mount(2) flags; text: options, path */
    DEVPTS,      /* a: mount(2) flags; text: options, path */
    BIND,        /* a: MOUNT_ATTR_ flags; text: source, path */
    REMOVE,      /* a: unlinkat(2) flags; text: path */
    SEAL,        /* text: path */
    PIVOT,       /* the new root becomes the root, the old one is detached */
    NO_CAPS,     /* a: securebits; all five sets empty */
    SPLIT,       /* pid 1 stays behind; what follows is another process */
    SESSION,     /* a new session and session keyring */
    CWD,         /* text: path */
    RLIMIT,      /* a: resource; b: soft; text: hard, as eight bytes */
    PRCTL,       /* a: option; b, text as eight bytes: arguments */
    RULESET,     /* a: fs; b: net; text: scoped, as eight bytes */
    RULE,        /* a: rights; text: path */
    CONFINE,     /* no new privileges, then the ruleset */
    FILTER,      /* b: instructions; text: struct sock_filter of each */
    VARIABLE,    /* text: NAME=VALUE */
    ARGUMENT,    /* text; the first is the program's path */
};

struct record {
    uint32_t kind, size;
    uint64_t a, b;
    char text[];
};

static union {
    struct record first;
    char bytes[256 * 1024];
} plan;
static char *argv[64], *envp[256];

static _Noreturn void die(const char *what, const char *name)
{
    fprintf(stderr, "floor: %s %s: %s\n", what, name, strerror(errno));
    _exit(125);
}

static void check(long result, const char *what, const char *name)
{
    if (result < 0)
        die(what, name);
}

/* libc's open(2) makes a second call for O_CLOEXEC, with musl. */
static int open_at(const char *path, int flags, mode_t mode)
{
    return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

static void put(const char *path, const char *text)
{
    int fd = open_at(path, O_WRONLY, 0);
    check(fd, "open", path);
    check(write(fd, text, strlen(text)), "write", path);
    close(fd);
}

/* Clocks that begin at 0, in a namespace that is entered at once. */
static void enter_time(void)
{
    struct timespec monotonic, boottime;
    char text[96];
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_BOOTTIME, &boottime);
    snprintf(text, sizeof text, "monotonic %lld 0\nboottime %lld 0\n",
             -(long long)monotonic.tv_sec, -(long long)boottime.tv_sec);
    check(unshare(NEWTIME), "unshare", "time");
    put("/proc/self/timens_offsets", text);
    int fd = open_at("/proc/self/ns/time_for_children", O_RDONLY, 0);
    check(fd, "open", "time_for_children");
    check(setns(fd, NEWTIME), "setns", "time");
    close(fd);
}

static void make_file(const struct record *r)
{
    if (r->b == 0) {
        check(mknod(r->text, S_IFREG | (mode_t)r->a, 0), "mknod", r->text);
        return;
    }
    int fd = open_at(r->text, O_WRONLY | O_CREAT | O_EXCL, (mode_t)r->a);
    check(fd, "create", r->text);
    check(write(fd, r->text + strlen(r->text) + 1, r->b), "write", r->text);
    close(fd);
}

static void set_flags(const char *path, uint64_t flags, int recursive)
{
    uint64_t attr[4] = { flags, 0, 0, 0 }; /* struct mount_attr */
    check(syscall(NR_mount_setattr, AT_FDCWD, path, recursive, attr, sizeof attr),
          "mount_setattr", path);
}

static void bind(const char *source, const char *path, uint64_t flags)
{
    check(mount(source, path, 0, MS_BIND | MS_REC, 0), "bind", path);
    set_flags(path, flags, RECURSIVE);
}

static void enter_root(void)
{
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root", ".");
    check(umount2(".", MNT_DETACH), "umount2", ".");
    check(chdir("/"), "chdir", "/");
}

static void drop_capabilities(unsigned long securebits)
{
    uint32_t header[2] = { 0x20080522, 0 }, none[6] = { 0 };
    for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;)
        capability++;
    check(prctl(PR_SET_SECUREBITS, securebits, 0, 0, 0), "prctl", "securebits");
    check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl", "ambient");
    check(syscall(SYS_capset, header, none), "capset", "");
}

static int code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What is left of pid 1: it reaps, and ends with the program. */
static _Noreturn void reap(pid_t program)
{
    int status;
    check(program, "vfork", "");
    while (waitpid(-1, &status, 0) != program)
        ;
    _exit(code(status));
}

static void add_rule(int ruleset, const struct record *r)
{
    struct {
        uint64_t rights;
        int32_t fd;
    } __attribute__((packed)) rule = { r->a, open_at(r->text, O_PATH, 0) };
    check(rule.fd, "open", r->text);
    check(syscall(NR_landlock_add_rule, ruleset, 1, &rule, 0), "landlock_add_rule", r->text);
    close(rule.fd);
}

static uint64_t third(const struct record *r)
{
    uint64_t value;
    memcpy(&value, r->text, sizeof value);
    return value;
}

static int make_ruleset(const struct record *r)
{
    uint64_t attr[3] = { r->a, r->b, third(r) };
    size_t size = attr[2] ? 24 : attr[1] ? 16 : 8;
    int fd = syscall(NR_landlock_create_ruleset, attr, size, 0);
    check(fd, "landlock_create_ruleset", "");
    return fd;
}

static void attach_filter(const struct record *r)
{
    struct {
        unsigned short length;
        const void *filter;
    } program = { (unsigned short)r->b, r->text };
    check(prctl(PR_SET_SECCOMP, 2, &program, 0, 0), "prctl", "seccomp");
}

/* One record after the other, until the program is executed. The process that vfork(2)
 * makes here stays in this frame, which pid 1 leaves for good. */
static _Noreturn void launch(void)
{
    int ruleset = -1, arguments = 0, variables = 0;
    const struct record *r = &plan.first;
    check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl", "PDEATHSIG");
    check(syscall(NR_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */), "close_range", "");
    umask(0);
    put("/proc/self/setgroups", "deny");
    for (;; r = (const struct record *)((const char *)r + r->size)) {
        const char *text = r->text;
        /* The second string, of the kinds that have two. */
        const char *path = text;
        switch (r->kind) {
        case SYMLINK: case TMPFS: case PROC: case DEVPTS: case BIND:
            path = text + strlen(text) + 1;
        }
        switch (r->kind) {
        case END:
            execve(argv[0], argv, envp);
            die("execve", argv[0]);
        case UID_MAP: put("/proc/self/uid_map", text); break;
        case GID_MAP:
            put("/proc/self/gid_map", text);
            enter_time();
            break;
        case HOSTNAME: check(sethostname(text, strlen(text)), "sethostname", text); break;
        case ROOT:
            /* Anywhere: nothing that is bound lies in the host's /tmp. */
            check(mount("tmpfs", "/tmp", "tmpfs", r->a, text), "mount", "root");
            check(chdir("/tmp"), "chdir", "/tmp");
            break;
        case DIRECTORY: check(mkdir(text, (mode_t)r->a), "mkdir", text); break;
        case REGULAR: make_file(r); break;
        case SYMLINK: check(symlink(text, path), "symlink", path); break;
        case TMPFS: check(mount("tmpfs", path, "tmpfs", r->a, text), "mount", path); break;
        case PROC: check(mount("proc", path, "proc", r->a, text), "mount", path); break;
        case DEVPTS: check(mount("devpts", path, "devpts", r->a, text), "mount", path); break;
        case BIND: bind(text, path, r->a); break;
        case REMOVE: check(unlinkat(AT_FDCWD, text, (int)r->a), "unlink", text); break;
        case SEAL: set_flags(text, ATTR_RDONLY, 0); break;
        case PIVOT: enter_root(); break;
        case NO_CAPS: drop_capabilities(r->a); break;
        case SPLIT: {
            pid_t program = vfork();
            if (program)
                reap(program);
            break;
        }
        case SESSION:
            check(setsid(), "setsid", "");
            check(syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0), "keyctl", "");
            break;
        case CWD:
            umask(022);
            check(chdir(text), "chdir", text);
            break;
        case RLIMIT: {
            struct rlimit limit = { r->b, third(r) };
            check(setrlimit((int)r->a, &limit), "setrlimit", "");
            break;
        }
        case PRCTL: check(prctl((int)r->a, r->b, third(r), 0, 0), "prctl", "attribute"); break;
        case RULESET: ruleset = make_ruleset(r); break;
        case RULE: add_rule(ruleset, r); break;
        case CONFINE:
            check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "NO_NEW_PRIVS");
            if (ruleset >= 0)
                check(syscall(NR_landlock_restrict_self, ruleset, 0), "landlock_restrict_self", "");
            break;
        case FILTER: attach_filter(r); break;
        case VARIABLE: envp[variables++] = (char *)text; break;
        case ARGUMENT: argv[arguments++] = (char *)text; break;
        default: die("read", "a record of an unknown kind");
        }
    }
}

static int once(uint64_t *args, size_t size)
{
    int status;
    long pid = syscall(NR_clone3, args, size);
    check(pid, "clone3", "");
    if (pid == 0)
        launch();
    check(waitpid((pid_t)pid, &status, 0), "wait", "");
    return code(status);
}

static long long used(int who)
{
    struct rusage u;
    check(getrusage(who, &u), "getrusage", "");
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec +
        u.ru_stime.tv_usec;
}

static int again(uint64_t *args, size_t size, long seconds)
{
    struct timespec begin, now;
    long runs = 0;
    int ended = 0;
    args[0] &= ~(uint64_t)CLONE_NEWNET;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        ended = once(args, size);
        runs++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (ended == 0 && now.tv_sec - begin.tv_sec < seconds);
    printf("%ld %lld\n", runs, used(RUSAGE_SELF) + used(RUSAGE_CHILDREN));
    fflush(stdout);
    return ended;
}

int main(int argc, char **arguments)
{
    uint64_t args[8] = { /* struct clone_args, as of Linux 5.3 */
        CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
            CLONE_NEWNET | NEWCGROUP | CLEAR_SIGHAND,
        0, 0, 0, SIGCHLD,
    };
    int fd = open_at(argc > 1 ? arguments[1] : "", O_RDONLY, 0);
    check(fd, "open", "the plan");
    check(read(fd, plan.bytes, sizeof plan.bytes), "read", "the plan");
    close(fd);
    if (argc > 2)
        _exit(again(args, sizeof args, atol(arguments[2])));
    _exit(once(args, sizeof args));
}
