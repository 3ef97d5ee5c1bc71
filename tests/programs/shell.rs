//! The smallest programs, shells and filters.
//! It must not use a language run-time; `languages` does.

use crate::support::{self, Scratch};
use crate::{installed, prints, strictly, succeeds, under};

#[test]
fn the_smallest_program() {
    strictly(&["/bin/true"], "");
}

#[test]
fn a_program_found_on_the_path() {
    strictly(&["echo", "hello"], "hello\n");
}

#[test]
fn a_failing_program() {
    let output = support::run(&mut under("strict", "/".as_ref(), &["/bin/false"]));
    assert_eq!(support::code(&output), 1);
}

#[test]
fn a_static_program() {
    let Some(compiler) = installed("gcc") else {
        return;
    };
    let scratch = Scratch::new();
    let text = "#include <stdio.h>\nint main(void) { puts(\"static\"); return 0; }\n";
    scratch.file("static.c", text, 0o644);
    let mut compile = support::ordinary(compiler);
    compile.current_dir(scratch.path());
    succeeds(compile.args(["-static", "-o", "static", "static.c"]));
    prints(
        &mut under("strict", scratch.path(), &["./static"]),
        "static\n",
    );
}

/// `/dev/stdin` and its like are links to a descriptor, and opening one is opening
/// the file again, which lies nowhere inside.
#[test]
fn standard_streams_by_their_names() {
    let scratch = Scratch::new();
    scratch.file("in", "asked\n", 0o644);
    let script = "\"$SANDBOX\" -- /bin/sh -c 'cat /dev/stdin; cat /dev/stdin </dev/null; \
                  echo told >/dev/stderr' <in >out 2>err; echo $?; cat out err; \
                  \"$SANDBOX\" --fd 5 -- /bin/cat /proc/self/fd/5 5<in";
    let mut shell = support::shell(script);
    prints(shell.current_dir(scratch.path()), "0\nasked\ntold\nasked\n");
}

/// Opened again, a stream gives no more than it gave: what is read is not
/// written, what is written not read, a log not emptied, a device not reached.
#[test]
fn standard_streams_give_no_more_by_their_names() {
    let scratch = Scratch::new();
    scratch.file("in", "asked\n", 0o644);
    scratch.file("log", "kept\n", 0o666);
    let attempts = [
        "echo x >/proc/self/fd/0' <in",
        "cat /proc/self/fd/1' >out",
        "echo x >/dev/stdout' >>log",
        "head -c1 /dev/stdin' </dev/urandom",
        "/proc/self/fd/0' <program",
    ];
    for attempt in attempts {
        let script = format!("cp /bin/true program; \"$SANDBOX\" -- /bin/sh -c '{attempt}");
        let output = support::run(support::shell(&script).current_dir(scratch.path()));
        let complaint = support::complaint(&output);
        assert!(
            complaint.contains("Permission denied"),
            "{attempt}: {complaint}"
        );
    }
    assert_eq!(
        std::fs::read(scratch.path().join("log")).unwrap(),
        b"kept\n"
    );
}

#[test]
fn bash() {
    let script = "x=(a b c); for i in \"${x[@]}\"; do echo $i; done | tac | tr a-z A-Z; \
                  wait; echo $((6*7)) $(id -u) ${#x[@]}; cat <<< here; diff <(echo 1) <(echo 1) && echo same";
    if installed("bash").is_some() {
        strictly(&["bash", "-c", script], "C\nB\nA\n42 1000 3\nhere\nsame\n");
    }
}

#[test]
fn bash_with_background_jobs_and_traps() {
    let script = "trap 'echo bye' EXIT; sleep 0.05 & wait $!; echo done $?";
    if installed("bash").is_some() {
        strictly(&["bash", "-c", script], "done 0\nbye\n");
    }
}

#[test]
fn a_filter_over_standard_input() {
    let scratch = Scratch::new();
    let input = std::fs::File::open(scratch.file("in", "b\na\nc\n", 0o644)).unwrap();
    let mut command = under("strict", scratch.path(), &["sort", "-r"]);
    prints(command.stdin(input), "c\nb\na\n");
}

#[test]
fn perl() {
    if installed("perl").is_some() {
        let script = "use POSIX; my %h = (a => 1); print join(',', map { $_ * 2 } 1..3), \" $h{a} \", floor(2.5), \"\\n\"; \
                      print `echo child`; my $p = fork() // die; exit 3 if !$p; waitpid $p, 0; print $? >> 8, \"\\n\";";
        strictly(&["perl", "-e", script], "2,4,6 1 2\nchild\n3\n");
    }
}

#[test]
fn tar_in_the_scratch_space() {
    if installed("tar").is_some() {
        let script = "cd /tmp && mkdir -p a/b && echo text > a/b/c && ln -s c a/b/d && \
                      tar --sort=name -czf a.tgz a && rm -r a && tar -xzf a.tgz && cat a/b/d && tar -tzf a.tgz";
        strictly(&["sh", "-c", script], "text\na/\na/b/\na/b/c\na/b/d\n");
    }
}

#[test]
fn tar_in_a_work_directory() {
    if installed("tar").is_some() {
        let scratch = Scratch::new();
        scratch.directory("a");
        scratch.file("a/b", "text", 0o600);
        let script = "tar -cf a.tar a && rm -r a && tar -xf a.tar && stat -c %a:%s a/b";
        prints(
            &mut under("compile", scratch.path(), &["sh", "-c", script]),
            "600:4\n",
        );
        assert_eq!(
            std::fs::read_to_string(scratch.join("a/b")).unwrap(),
            "text"
        );
    }
}
