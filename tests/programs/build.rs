//! Compilers and build tools under `compile`: build in the work directory, run the result.
//! It must not fetch anything from a network.

use crate::support::{self, Scratch};
use crate::{installed, prints, skip, succeeds, under};
use std::path::{Path, PathBuf};
use std::process::Command;

const C: &str = "#include <stdio.h>\n#include <math.h>\n\
                 int main(int argc, char **argv) { printf(\"%d %.1f\\n\", argc, sqrt(argc * 16.0)); return 0; }\n";
const CPP: &str = "#include <iostream>\n#include <thread>\n#include <vector>\n\
                   int main() { std::vector<int> v{1, 2, 3}; int s = 0; \
                   std::thread t([&] { for (int n : v) s += n; }); t.join(); std::cout << s << std::endl; }\n";

#[test]
fn gcc() {
    if installed("gcc").is_some() {
        let scratch = Scratch::new();
        scratch.file("a.c", C, 0o644);
        let script = "gcc -O1 -Wall -o a a.c -lm && ./a x y z";
        prints(
            &mut under("compile", scratch.path(), &["sh", "-c", script]),
            "4 8.0\n",
        );
        // What was built is on the host, and runs under `strict` as well.
        prints(&mut under("strict", scratch.path(), &["./a"]), "1 4.0\n");
    }
}

#[test]
fn gxx_with_threads() {
    if installed("g++").is_some() {
        let scratch = Scratch::new();
        scratch.file("a.cpp", CPP, 0o644);
        let script = "g++ -o a a.cpp -pthread && ./a";
        prints(
            &mut under("compile", scratch.path(), &["sh", "-c", script]),
            "6\n",
        );
    }
}

#[test]
fn make_in_parallel() {
    if installed("gcc").and(installed("make")).is_some() {
        let scratch = Scratch::new();
        scratch.file("a.c", "int a(void) { return 1; }\n", 0o644);
        scratch.file("b.c", "int b(void) { return 2; }\n", 0o644);
        let main = "int a(void), b(void);\nint main(void) { return a() + b() - 3; }\n";
        scratch.file("main.c", main, 0o644);
        let rules = "all: program\n\t./program && echo built\n\
                     program: main.o a.o b.o\n\t$(CC) -o $@ $^\n\
                     %.o: %.c\n\t$(CC) -c -o $@ $<\n";
        scratch.file("Makefile", rules, 0o644);
        let text = succeeds(&mut under(
            "compile",
            scratch.path(),
            &["make", "-s", "-j2"],
        ));
        assert_eq!(text, "built\n");
    }
}

#[test]
fn java() {
    if installed("javac").and(installed("java")).is_some() {
        let scratch = Scratch::new();
        let text = "import java.util.stream.*;\nclass Main { public static void main(String[] a) throws Exception { \
                    int[] s = {0}; Thread t = new Thread(() -> s[0] = IntStream.range(0, 5).sum()); t.start(); t.join(); \
                    System.out.println(s[0]); } }\n";
        scratch.file("Main.java", text, 0o644);
        let script = "javac Main.java && java Main";
        prints(
            &mut under("compile", scratch.path(), &["sh", "-c", script]),
            "10\n",
        );
    }
}

#[test]
fn go() {
    if installed("go").is_some() {
        let scratch = Scratch::new();
        scratch.file("go.mod", "module a\n", 0o644);
        let text = "package main\n\nfunc main() {\n\tc := make(chan int)\n\tgo func() { c <- 42 }()\n\tprintln(<-c)\n}\n";
        scratch.file("main.go", text, 0o644);
        let script = "go build -o a . && ./a 2>&1";
        prints(
            &mut under("compile", scratch.path(), &["sh", "-c", script]),
            "42\n",
        );
    }
}

/// Where the rustc that builds these tests lives, if the user that runs the
/// sandbox can read it. It is not the distribution's, which has no cargo.
fn tool_chain() -> Option<PathBuf> {
    let compiler = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(compiler).args(["--print", "sysroot"]).output();
    let Ok(output) = output else {
        skip("tool-chain", "is not installed");
        return None;
    };
    let root = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let mut test = support::ordinary("/usr/bin/test");
    if !support::run(test.arg("-x").arg(root.join("bin/rustc")))
        .status
        .success()
    {
        skip("tool-chain", "lies where the ordinary user cannot read it");
        return None;
    }
    Some(root)
}

/// Under `compile`, with the tool chain where it is.
fn with_tool_chain(root: &Path, directory: &Path, script: &str) -> Command {
    let mut command = support::sandbox();
    command.current_dir(directory).args(["--policy", "compile"]);
    command.arg("--exec").arg(root);
    let path = format!("PATH={}/bin:/usr/bin:/bin", root.display());
    command.args(["--env", &path, "--", "sh", "-c", script]);
    command
}

#[test]
fn rustc() {
    if let Some(root) = tool_chain() {
        let scratch = Scratch::new();
        let text = "fn main() { println!(\"{}\", (1..=4).product::<i32>()); }\n";
        scratch.file("main.rs", text, 0o644);
        let mut command = with_tool_chain(&root, scratch.path(), "rustc main.rs && ./main");
        prints(&mut command, "24\n");
    }
}

#[test]
fn cargo_offline() {
    if let Some(root) = tool_chain() {
        let scratch = Scratch::new();
        let manifest = "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
        scratch.file("Cargo.toml", manifest, 0o644);
        scratch.directory("src");
        let text = "fn main() { println!(env!(\"MADE\")); }\n";
        scratch.file("src/main.rs", text, 0o644);
        // A build script is a program that nobody has read.
        let text = "fn main() { println!(\"cargo:rustc-env=MADE=by the build script\"); }\n";
        scratch.file("build.rs", text, 0o644);
        let script = "CARGO_HOME=/tmp/cargo cargo build -q --offline && target/debug/a";
        let mut command = with_tool_chain(&root, scratch.path(), script);
        prints(&mut command, "by the build script\n");
    }
}
