//! The languages: what must be installed, how each is compiled and how it is run.
//! It must not name a limit that only a test needs; those are in `questions`.

/// A language, and a program in it that answers all questions (`programs/`).
pub struct Language {
    /// For people.
    pub name: &'static str,
    /// Programs that must be installed.
    pub tools: &'static [&'static str],
    /// The name of the source file, and what is in it.
    pub source: (&'static str, &'static str),
    /// Under `judge-compile` or `compile`, beside the source. Nothing: it is interpreted.
    pub compile: &'static [&'static str],
    /// Under `judge`, in the same directory.
    pub run: &'static [&'static str],
    /// Options of `sandbox` that it needs for it.
    pub options: &'static [&'static str],
    /// Does its library tell how many processors there are?
    pub counts_processors: bool,
    /// Its memory limit here, in MiB.
    pub memory: u64,
}

impl Language {
    /// Is the program a file that is executed, and so visible by itself?
    pub fn is_native(&self) -> bool {
        self.run[0].starts_with("./")
    }
}

macro_rules! source {
    ($file:literal) => {
        ($file, include_str!(concat!("programs/", $file)))
    };
}

pub const C: Language = Language {
    name: "C",
    tools: &["gcc"],
    source: source!("program.c"),
    compile: &["gcc", "-O2", "-o", "program", "program.c"],
    run: &["./program"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const CPP: Language = Language {
    name: "C++",
    tools: &["g++"],
    source: source!("program.cpp"),
    compile: &["g++", "-O2", "-o", "program", "program.cpp"],
    run: &["./program"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const RUST: Language = Language {
    name: "Rust",
    tools: &["rustc"],
    source: source!("program.rs"),
    compile: &["rustc", "-O", "-o", "program", "program.rs"],
    run: &["./program"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const GO: Language = Language {
    name: "Go",
    tools: &["go"],
    source: source!("program.go"),
    compile: &["go", "build", "-o", "program", "program.go"],
    run: &["./program"],
    // See `collectors`: how much there is, less what the run-time itself needs.
    options: &["--env", "GOMEMLIMIT=224MiB"],
    counts_processors: true,
    memory: 256,
};

pub const JAVA: Language = Language {
    name: "Java",
    tools: &["javac", "java"],
    source: source!("Program.java"),
    compile: &["javac", "Program.java"],
    // See `collectors`: how much there is, less what the run-time itself needs.
    run: &[
        "java",
        "-Xmx224m",
        "-Xss64m",
        "-XX:+UseSerialGC",
        "-cp",
        ".",
        "Program",
    ],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const CSHARP: Language = Language {
    name: "C#",
    tools: &["mcs", "mono"],
    source: source!("program.cs"),
    compile: &["mcs", "program.cs"],
    run: &["mono", "program.exe"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const HASKELL: Language = Language {
    name: "Haskell",
    tools: &["ghc"],
    source: source!("program.hs"),
    compile: &["ghc", "-O", "-threaded", "-o", "program", "program.hs"],
    run: &["./program"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const OCAML: Language = Language {
    name: "OCaml",
    tools: &["ocamlopt"],
    source: source!("program.ml"),
    compile: &["ocamlopt", "-o", "program", "unix.cmxa", "program.ml"],
    run: &["./program"],
    options: &[],
    counts_processors: false,
    memory: 256,
};

pub const PASCAL: Language = Language {
    name: "Pascal",
    tools: &["fpc"],
    source: source!("program.pas"),
    compile: &["fpc", "-O2", "program.pas"],
    run: &["./program"],
    options: &[],
    counts_processors: false,
    memory: 256,
};

pub const FORTRAN: Language = Language {
    name: "Fortran",
    tools: &["gfortran"],
    source: source!("program.f90"),
    compile: &["gfortran", "-O2", "-o", "program", "program.f90"],
    run: &["./program"],
    options: &[],
    counts_processors: false,
    memory: 256,
};

pub const PYTHON: Language = Language {
    name: "Python",
    tools: &["python3"],
    source: source!("program.py"),
    compile: &[],
    run: &["python3", "program.py"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const NODE: Language = Language {
    name: "Node",
    tools: &["node"],
    source: source!("program.js"),
    compile: &[],
    // See `collectors`: how much there is, less what the run-time itself needs.
    run: &["node", "--max-old-space-size=224", "program.js"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const RUBY: Language = Language {
    name: "Ruby",
    tools: &["ruby"],
    source: source!("program.rb"),
    compile: &[],
    run: &["ruby", "program.rb"],
    options: &[],
    counts_processors: true,
    memory: 256,
};

pub const PERL: Language = Language {
    name: "Perl",
    tools: &["perl"],
    source: source!("program.pl"),
    compile: &[],
    run: &["perl", "program.pl"],
    options: &[],
    counts_processors: false,
    memory: 256,
};

pub const LUA: Language = Language {
    name: "Lua",
    tools: &["lua5.4"],
    source: source!("program.lua"),
    compile: &[],
    run: &["lua5.4", "program.lua"],
    options: &[],
    counts_processors: false,
    memory: 256,
};

pub const PHP: Language = Language {
    name: "PHP",
    tools: &["php"],
    source: source!("program.php"),
    compile: &[],
    // PHP's own limit, of 128 MB, is not the contest's.
    run: &["php", "-d", "memory_limit=-1", "program.php"],
    options: &[],
    counts_processors: false,
    memory: 256,
};

pub const BASH: Language = Language {
    name: "bash",
    tools: &["bash"],
    source: source!("program.sh"),
    compile: &[],
    run: &["bash", "program.sh"],
    options: &[],
    counts_processors: true,
    // It takes its time to copy a string.
    memory: 128,
};

/// In the order of the README's table.
pub const ALL: [Language; 17] = [
    C, CPP, RUST, GO, JAVA, CSHARP, HASKELL, OCAML, PASCAL, FORTRAN, PYTHON, NODE, RUBY, PERL, LUA,
    PHP, BASH,
];
