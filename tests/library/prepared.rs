//! `Prepared`: one plan for many runs, and what happens when the machine changes between them.
//! It must not ask what one run leaves for the next; `tests/batch` does.

use super::{alone, strict};
use crate::support::Scratch;
use sandbox::policy::{Access, Context};
use sandbox::report::Verdict;
use sandbox::{Command, Prepared, Sandbox, Stdio};
use std::fs;
use std::io::Read;
use std::path::Path;

/// A shell script under `strict` with these paths readable or hidden.
fn prepared(read: &[&Path], hidden: &[&Path], script: &str) -> Prepared {
    let mut command = sandbox(read, hidden).command("/bin/sh");
    command.args(["-c", script, "sh"]);
    command.prepare().unwrap()
}

fn sandbox(read: &[&Path], hidden: &[&Path]) -> Sandbox {
    strict(|policy| {
        let context = Context::current();
        for path in read {
            let path = path.to_str().unwrap();
            policy.add_file(Access::Read, path, &context).unwrap();
        }
        for path in hidden {
            policy.hide(path.to_str().unwrap(), &context).unwrap();
            for rule in policy.files.values_mut() {
                rule.optional |= matches!(rule.content, sandbox::policy::Content::Nothing);
            }
        }
    })
}

/// Standard output of a run, and its exit code.
fn says(command: &mut Command) -> (String, Option<u8>) {
    let mut child = command.stdout(Stdio::Piped).spawn().unwrap();
    let mut text = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut text).unwrap();
    (text, child.wait().unwrap().exit.code)
}

#[test]
fn each_run_has_its_own_streams_and_arguments() {
    alone(
        "prepared::each_run_has_its_own_streams_and_arguments",
        || {
            let place = Scratch::new();
            let prepared = prepared(&[], &[], "echo \"$# $1\"; cat");
            for (number, argument) in ["a", "b", "c"].into_iter().enumerate() {
                let input = place.file(argument, format!("input {number}\n"), 0o644);
                let mut command = prepared.command();
                command.arg(argument).stdin(fs::File::open(input).unwrap());
                let (text, code) = says(&mut command);
                assert_eq!(text, format!("1 {argument}\ninput {number}\n"));
                assert_eq!(code, Some(0));
            }
            let (text, _) = says(prepared.command().stdin(Stdio::Null));
            assert_eq!(text, "0 \n");
        },
    );
}

#[test]
fn a_prepared_program_runs_in_many_threads_at_once() {
    alone(
        "prepared::a_prepared_program_runs_in_many_threads_at_once",
        || {
            let prepared = prepared(&[], &[], "exit $1");
            std::thread::scope(|scope| {
                for thread in 0..8u8 {
                    let prepared = &prepared;
                    scope.spawn(move || {
                        for _ in 0..10 {
                            let mut command = prepared.command();
                            let child = command.arg(thread.to_string()).spawn().unwrap();
                            assert_eq!(child.wait().unwrap().exit.code, Some(thread));
                        }
                    });
                }
            });
        },
    );
}

/// The moment of preparing is the one that counts: nothing is asked again per run.
#[test]
fn the_machine_is_not_looked_at_again() {
    alone("prepared::the_machine_is_not_looked_at_again", || {
        let mut command =
            strict(|policy| policy.process.pass_env.push("WORD".into())).command("/bin/sh");
        command.args(["-c", "echo $WORD"]);
        // SAFETY: this process runs this one test, in one thread that asks for variables.
        unsafe { std::env::set_var("WORD", "before") };
        let prepared = command.prepare().unwrap();
        // SAFETY: as above.
        unsafe { std::env::set_var("WORD", "after") };
        assert_eq!(says(&mut prepared.command()).0, "before\n");
        assert_eq!(says(&mut command).0, "after\n");
    });
}

#[test]
fn the_plan_is_the_one_of_an_ordinary_run() {
    alone("prepared::the_plan_is_the_one_of_an_ordinary_run", || {
        let mut command = strict(|_| {}).command("/bin/sh");
        command.args(["-c", "true"]);
        let prepared = command.prepare().unwrap();
        assert_eq!(prepared.command().plan().unwrap(), command.plan().unwrap());
        command.arg("more").tty(true);
        let mut again = prepared.command();
        again.arg("more").tty(true);
        assert_eq!(again.plan().unwrap(), command.plan().unwrap());
    });
}

#[test]
fn a_source_that_was_swapped_is_refused() {
    alone("prepared::a_source_that_was_swapped_is_refused", || {
        let place = Scratch::new();
        let file = place.file("data", "old", 0o644);
        let prepared = prepared(&[&file], &[], &format!("cat {}", file.display()));
        assert_eq!(says(&mut prepared.command()).0, "old");
        let other = place.file("other", "new", 0o644);
        fs::rename(other, &file).unwrap();
        let error = prepared.command().spawn().err().unwrap();
        assert_eq!(error.exit_code(), 125, "{error}");
        assert!(
            error.to_string().contains(file.to_str().unwrap()),
            "{error}"
        );
    });
}

#[test]
fn a_program_that_was_replaced_is_refused() {
    alone("prepared::a_program_that_was_replaced_is_refused", || {
        let place = Scratch::new();
        let program = place.file("program", "#!/bin/sh\nexit 3\n", 0o755);
        let prepared = strict(|_| {}).command(&program).prepare().unwrap();
        let run = || prepared.command().spawn();
        assert_eq!(run().unwrap().wait().unwrap().exit.code, Some(3));
        let other = place.file("other", "#!/bin/sh\nexit 4\n", 0o755);
        fs::rename(other, &program).unwrap();
        assert_eq!(run().err().unwrap().exit_code(), 125);
    });
}

/// "Hidden if it exists" is asked again: answers that were put there later are hidden.
#[test]
fn what_appears_later_is_hidden_as_the_policy_says() {
    alone(
        "prepared::what_appears_later_is_hidden_as_the_policy_says",
        || {
            let place = Scratch::new();
            let tree = place.directory("tree");
            let answers = tree.join("answers");
            let script = format!(
                "cat {0} 2>/dev/null || echo hidden; ls {1}",
                answers.display(),
                tree.display()
            );
            let prepared = prepared(&[&tree], &[&answers], &script);
            assert_eq!(says(&mut prepared.command()).0, "hidden\n");
            place.file("tree/answers", "42\n", 0o644);
            assert_eq!(says(&mut prepared.command()).0, "hidden\nanswers\n");
            // And again, from what was made of it.
            assert_eq!(says(&mut prepared.command()).0, "hidden\nanswers\n");
        },
    );
}

#[test]
fn a_link_that_leads_elsewhere_is_followed_anew() {
    alone(
        "prepared::a_link_that_leads_elsewhere_is_followed_anew",
        || {
            let place = Scratch::new();
            place.file("one", "one\n", 0o644);
            place.file("two", "two\n", 0o644);
            let link = place.join("link");
            std::os::unix::fs::symlink("one", &link).unwrap();
            let prepared = prepared(&[&link], &[], &format!("cat {}", link.display()));
            assert_eq!(says(&mut prepared.command()).0, "one\n");
            fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink("two", &link).unwrap();
            assert_eq!(says(&mut prepared.command()).0, "two\n");
        },
    );
}

/// What a git file says decides what is protected, and it may say another thing under the
/// same inode: it is read for every run.
#[test]
fn what_git_files_say_is_read_anew() {
    alone("prepared::what_git_files_say_is_read_anew", || {
        let place = Scratch::new();
        let tree = place.directory("tree");
        for directory in ["objects", "refs", "hooks", "modules", "worktrees"] {
            if directory == "objects" {
                place.directory("tree/.git");
            }
            place.directory(&format!("tree/.git/{directory}"));
        }
        let config = place.file("tree/.git/config", "[core]\n", 0o644);
        let context = Context::current();
        let sandbox = strict(|policy| {
            let path = tree.to_str().unwrap();
            policy.add_file(Access::Write, path, &context).unwrap();
            policy.add_weaken("writable-git=a test").unwrap();
            for rule in policy.files.values_mut() {
                rule.git |= rule.content == sandbox::policy::Content::Host(tree.clone());
            }
        });
        let prepared = sandbox.command("/bin/true").prepare().unwrap();
        let run = || prepared.command().spawn();
        assert_eq!(run().unwrap().wait().unwrap().verdict, Verdict::Ok);
        // Now `config.worktree` would count, and is not there to be covered.
        fs::write(&config, "[extensions]\nworktreeConfig = true\n").unwrap();
        let error = run().err().unwrap();
        assert!(error.to_string().contains("config.worktree"), "{error}");
    });
}

#[test]
fn a_policy_that_cannot_be_put_in_force_is_refused_when_it_is_prepared() {
    alone(
        "prepared::a_policy_that_cannot_be_put_in_force_is_refused_when_it_is_prepared",
        || {
            let mut command = sandbox(&[Path::new("/no/such/file")], &[]).command("/bin/true");
            command.arg("x");
            assert_eq!(command.prepare().err().unwrap().exit_code(), 125);
            let missing = strict(|_| {}).command("/no/such").prepare();
            let code = missing.and_then(|missing| missing.command().spawn()?.wait());
            assert_eq!(code.err().unwrap().exit_code(), 127);
        },
    );
}

#[test]
fn a_run_that_failed_is_nothing_to_the_next() {
    alone("prepared::a_run_that_failed_is_nothing_to_the_next", || {
        let prepared = prepared(&[], &[], "kill -KILL $$");
        for _ in 0..3 {
            let report = prepared.command().spawn().unwrap().wait().unwrap();
            assert_eq!(report.verdict, Verdict::Signal);
        }
    });
}

/// What a run passes on and copies is its own, and the plan knows of it.
#[test]
fn each_run_has_its_own_descriptors_and_copies() {
    alone(
        "prepared::each_run_has_its_own_descriptors_and_copies",
        || {
            let prepared = prepared(&[], &[], "cat <&5; cat /tmp/in; ls /proc/self/fd");
            for word in ["one", "two"] {
                let mut command = prepared.command();
                let bytes = |text: String| sandbox::Descriptor::Bytes(text.into_bytes().into());
                let copied = sandbox::CopyIn::Bytes(word.as_bytes().to_vec());
                command.fd_as(5, bytes(format!("{word}\n"))).copy_in(
                    "/tmp/in",
                    copied,
                    Default::default(),
                );
                let (text, code) = captured(&mut command);
                // `ls` has 3 for the directory.
                assert_eq!(text, format!("{word}\n{word}0\n1\n2\n3\n5\n"));
                assert_eq!(code, Some(0));
            }
            let mut plain = prepared.command();
            let (text, _) = captured(plain.stdin(Stdio::Null));
            assert_eq!(text, "0\n1\n2\n3\n");
        },
    );
}

/// As `says`, while what comes from memory is moved as well.
fn captured(command: &mut Command) -> (String, Option<u8>) {
    let child = command.stdout(Stdio::Memory { most: 1 << 16 }).spawn();
    let done = child.unwrap().wait_with_output().unwrap();
    (
        String::from_utf8(done.stdout).unwrap(),
        done.report.exit.code,
    )
}
