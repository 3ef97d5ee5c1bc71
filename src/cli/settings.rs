//! What the options mean: each overrides one key of the policy.
//! It must not let an option widen the policy silently, or be lost.

use super::args;
use super::failure::Failure;
use sandbox::Sandbox;
use sandbox::cgroup::Home;
use sandbox::escape::tick;
use sandbox::policy::{Access, Context, Policy};
use std::cell::LazyCell;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// This binary, which is also what its workers are.
pub const OURSELVES: &str = "/proc/self/exe";

/// The program under the policy with the options applied.
pub fn command(setup: &args::Setup, words: &[OsString]) -> Result<sandbox::Command, Failure> {
    let policy = policy(setup)?;
    let home = super::cgroup::home(setup.limits.cgroup.as_deref(), &[&policy])?;
    command_in(home.map(Arc::new), policy, setup, words)
}

/// The same under a policy that was read from these options, its groups made there.
pub fn command_in(
    home: Option<Arc<Home>>,
    policy: Policy,
    setup: &args::Setup,
    words: &[OsString],
) -> Result<sandbox::Command, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::new("no program is named"));
    };
    let mut sandbox = Sandbox::new(policy)?;
    if let Some(home) = home {
        sandbox = sandbox.cgroups(home);
    }
    let mut command = sandbox.command(program);
    command.args(arguments).tty(setup.process.tty);
    Ok(command)
}

/// The policy named, or `strict`, with the options applied.
pub fn policy(setup: &args::Setup) -> Result<Policy, Failure> {
    let name = setup.policy.policy.as_deref();
    let mut policy = Policy::load_here(name.unwrap_or(OsStr::new("strict")))?;
    let caller = &Caller::new(Context::current);
    files(&mut policy, &setup.files, caller)?;
    single(&mut policy, setup, caller)?;
    for spec in &setup.process.env {
        policy.set_env(spec).map_err(|why| wrong("--env", &why))?;
    }
    for spec in &setup.policy.weaken {
        policy
            .add_weaken(spec)
            .map_err(|why| wrong("--weaken", &why))?;
    }
    policy.validate()?;
    Ok(policy)
}

/// Looked at by the first option that speaks of a path.
type Caller = LazyCell<Context>;

/// Sets one key from the text of an option.
type Setter = fn(&mut Policy, &str, &Caller) -> Result<(), String>;

/// The options that may be given once.
fn single(policy: &mut Policy, setup: &args::Setup, caller: &Caller) -> Result<(), Failure> {
    let (process, limits) = (&setup.process, &setup.limits);
    let table: [(&str, &Option<String>, Setter); 16] = [
        ("--cwd", &process.cwd, |policy, text, caller| {
            policy.set_cwd(text, caller)
        }),
        ("--user", &process.user, |policy, text, _| {
            policy.set_user(text)
        }),
        ("--hostname", &process.hostname, |policy, text, _| {
            policy.set_hostname(text)
        }),
        ("--cpus", &process.cpus, |policy, text, _| {
            policy.set_cpus(text)
        }),
        ("--network", &setup.network.network, |policy, text, _| {
            policy.set_network(text)
        }),
        ("--memory", &limits.memory, |policy, text, _| {
            policy.set_memory(text)
        }),
        ("--processes", &limits.processes, |policy, text, _| {
            policy.set_processes(text)
        }),
        ("--cpu-time", &limits.cpu_time, |policy, text, _| {
            policy.set_cpu_time(text)
        }),
        ("--wall-time", &limits.wall_time, |policy, text, _| {
            policy.set_wall_time(text)
        }),
        ("--output", &limits.output, |policy, text, _| {
            policy.set_output(text)
        }),
        ("--stdout-limit", &limits.stdout_limit, |policy, text, _| {
            policy.set_stdout(text)
        }),
        ("--stderr-limit", &limits.stderr_limit, |policy, text, _| {
            policy.set_stderr(text)
        }),
        ("--file-size", &limits.file_size, |policy, text, _| {
            policy.set_file_size(text)
        }),
        ("--open-files", &limits.open_files, |policy, text, _| {
            policy.set_open_files(text)
        }),
        ("--cpu-max", &limits.cpu_max, |policy, text, _| {
            policy.set_cpu_max(text)
        }),
        ("--cpu-weight", &limits.cpu_weight, |policy, text, _| {
            policy.set_cpu_weight(text)
        }),
    ];
    for (option, text, set) in table {
        if let Some(text) = text {
            set(policy, text, caller).map_err(|why| wrong(option, &why))?;
        }
    }
    Ok(())
}

/// The options that add rules to the file map.
fn files(policy: &mut Policy, files: &args::Files, caller: &Caller) -> Result<(), Failure> {
    let table: [(&str, &[String], Setter); 6] = [
        ("--read", &files.read, |policy, text, caller| {
            policy.add_file(Access::Read, text, caller)
        }),
        ("--exec", &files.exec, |policy, text, caller| {
            policy.add_file(Access::Exec, text, caller)
        }),
        ("--write", &files.write, |policy, text, caller| {
            policy.add_file(Access::Write, text, caller)
        }),
        ("--write-exec", &files.write_exec, |policy, text, caller| {
            policy.add_file(Access::WriteExec, text, caller)
        }),
        ("--tmpfs", &files.tmpfs, |policy, text, caller| {
            policy.add_tmpfs(text, caller)
        }),
        ("--hide", &files.hide, |policy, text, caller| {
            policy.hide(text, caller)
        }),
    ];
    for (option, specs, add) in table {
        for spec in specs {
            let before = from_options(policy);
            add(policy, spec, caller).map_err(|why| wrong(option, &why))?;
            // The order of options means nothing, so one of two rules for the
            // same path would be lost, and nobody could say which.
            if from_options(policy) == before {
                let why = "an option before it names the same path inside";
                return Err(wrong(option, &format!("{}: {why}", tick(spec))));
            }
        }
    }
    Ok(())
}

fn from_options(policy: &Policy) -> usize {
    let rules = policy.files.values();
    rules.filter(|rule| rule.origin.starts_with("--")).count()
}

fn wrong(option: &str, why: &str) -> Failure {
    Failure::new(format!("`{option}` is wrong: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use sandbox::policy::{BUILTIN, Cap, Full, InsidePath, Network};

    fn setup(options: &[&str]) -> args::Setup {
        let words = ["sandbox"].iter().chain(options).chain(&["--", "x"]);
        args::Cli::try_parse_from(words).unwrap().run.setup
    }

    fn applied(options: &[&str]) -> Result<Policy, Failure> {
        policy(&setup(options))
    }

    #[test]
    fn each_option_overrides_its_key() {
        let policy = applied(&[
            "--memory=1MiB",
            "--output=2MiB",
            "--stdout-limit=3KiB:drain",
            "--stderr-limit=4KiB:truncate",
            "--file-size=3MiB",
            "--cpu-time=4s",
            "--wall-time=5s",
            "--processes=6",
            "--open-files=70",
            "--cpu-max=0.5",
            "--cpu-weight=40",
            "--user=8",
            "--hostname=nine",
            "--cwd=/tmp",
            "--network=loopback",
        ])
        .unwrap();
        let limits = &policy.limits;
        assert_eq!(limits.memory, Some(1 << 20));
        assert_eq!(limits.output, Some((2 << 20).into()));
        let cap = |most, full| Some(Cap { most, full });
        assert_eq!(limits.stdout, cap(3 << 10, Full::Drain));
        assert_eq!(limits.stderr, cap(4 << 10, Full::Truncate));
        assert_eq!(limits.file_size, Some(3 << 20));
        assert_eq!(limits.cpu_time.unwrap().as_secs(), 4);
        assert_eq!(limits.wall_time.unwrap().as_secs(), 5);
        assert_eq!(limits.processes, Some(6));
        assert_eq!(limits.open_files, Some(70));
        assert_eq!(
            (limits.cpu_max, limits.cpu_weight),
            (Some(50_000), Some(40))
        );
        assert_eq!((policy.process.user, policy.process.group), (8, 8));
        assert_eq!(policy.process.hostname, "nine");
        assert_eq!(policy.process.cwd, Some(InsidePath::new("/tmp").unwrap()));
        assert_eq!(policy.network, Network::Loopback);
    }

    #[test]
    fn without_options_the_policy_is_as_written() {
        let context = Context::current();
        let strict = Policy::load(OsStr::new("strict"), &context).unwrap();
        assert_eq!(applied(&[]).unwrap(), strict);
        for (name, _) in BUILTIN {
            let written = Policy::load(OsStr::new(name), &context).unwrap();
            assert_eq!(applied(&["--policy", name]).unwrap(), written, "{name}");
        }
    }

    #[test]
    fn two_options_for_one_path_are_refused() {
        for options in [
            ["--read=/opt", "--write=/opt"],
            ["--exec=/opt", "--exec=/opt/"],
            ["--tmpfs=/opt", "--hide=/opt"],
        ] {
            let message = applied(&options).unwrap_err().message;
            assert!(message.contains("names the same path inside"), "{message}");
        }
        applied(&["--read=/opt", "--write=/opt/x"]).unwrap();
    }

    #[test]
    fn a_wrong_value_names_its_option() {
        for (option, value) in [
            ("--memory", "64M"),
            ("--output", "1MiB:stop"),
            ("--stdout-limit", "0:drain"),
            ("--stdout-limit", "none:drain"),
            ("--stderr-limit", ":kill"),
            ("--cpu-time", "10"),
            ("--cpu-max", "0.001"),
            ("--cpu-max", "half"),
            ("--cpu-weight", "0"),
            ("--cwd", "/a/../b"),
            ("--read", ""),
            ("--tmpfs", "/tmp:0"),
            ("--env", "=x"),
            ("--user", "-1"),
            ("--hostname", "a b"),
            ("--network", "internet"),
            ("--processes", "18446744073709551615"),
            ("--weaken", "host-network="),
            ("--weaken", "no-seccomp=x"),
        ] {
            let message = applied(&[&format!("{option}={value}")])
                .unwrap_err()
                .message;
            assert!(
                message.starts_with(&format!("`{option}` is wrong: ")),
                "{message}"
            );
        }
    }
}
