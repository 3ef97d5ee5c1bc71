//! Reads Rust source just well enough to look for words in it: comments, strings and tests blanked.
//! It must not shift anything: offsets and lines stay those of the file.

const TEST_ONLY: &str = "#[cfg(test)]";

/// One source file.
pub struct Source {
    /// Path from the top of the repository, `/` between its parts.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// Comments, strings, characters and `#[cfg(test)]` items replaced by blanks.
    pub code: String,
}

impl Source {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let code = without_tests(&without_text(&text));
        Source {
            path: path.into(),
            text,
            code,
        }
    }

    /// `src/plan/mounts/tree.rs` is `plan::mounts::tree`; `src/lib.rs` is empty.
    pub fn module(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut parts: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }

    /// Files that this one declares for tests only: `#[cfg(test)] mod name;`.
    pub fn test_files(&self) -> Vec<String> {
        let code = without_text(&self.text);
        let (directory, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let stem = file.trim_end_matches(".rs");
        let mut files = Vec::new();
        for (at, _) in code.match_indices(TEST_ONLY) {
            let Some(end) = code[at..].find([';', '{']) else {
                continue;
            };
            let item = &code[at..at + end];
            let Some(name) = words(item, "mod").first().map(|at| item[at + 3..].trim()) else {
                continue;
            };
            let written = self.text[at..at + end].split_once("#[path = \"");
            match written.and_then(|(_, rest)| rest.split_once('"')) {
                Some((path, _)) => files.push(format!("{directory}/{path}")),
                None if matches!(stem, "mod" | "lib" | "main") => {
                    files.push(format!("{directory}/{name}.rs"));
                }
                None => files.push(format!("{directory}/{stem}/{name}.rs")),
            }
        }
        files
    }

    /// Line of a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// Offsets at which the word stands in the code, not as part of a longer one.
    pub fn find_word(&self, word: &str) -> Vec<usize> {
        words(&self.code, word)
    }
}

/// Offsets of a word that no letter, digit or `_` extends.
pub fn words(text: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let open_end = word.ends_with(part);
    text.match_indices(word)
        .filter(|(at, _)| !text[..*at].ends_with(part))
        .filter(|(at, _)| !(open_end && text[at + word.len()..].starts_with(part)))
        .map(|(at, _)| at)
        .collect()
}

/// Blanks comments, strings and characters.
fn without_text(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end > at {
            blank(&mut out, at, end);
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(out).expect("whole literals were blanked")
}

/// Where the comment or literal that begins here ends; `at` when none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return find(bytes, at, b"\n");
    }
    if rest.starts_with(b"/*") {
        return comment_end(bytes, at);
    }
    let after_word = at > 0 && is_word(bytes[at - 1]);
    // A prefix such as `b`, `c` or `br` belongs to the word before the quote.
    let prefix = rest.iter().take_while(|b| b"bcr".contains(b)).count();
    if prefix > 0 && prefix <= 2 && !after_word && rest[prefix - 1] == b'r' {
        let hashes = rest[prefix..].iter().take_while(|b| **b == b'#').count();
        if rest.get(prefix + hashes) == Some(&b'"') {
            let mut close = vec![b'"'];
            close.resize(hashes + 1, b'#');
            let body = at + prefix + hashes + 1;
            return (find(bytes, body, &close) + close.len()).min(bytes.len());
        }
    }
    match rest[0] {
        b'"' => quoted_end(bytes, at, b'"'),
        // A lifetime is no character: 'a' has its closing quote.
        b'\'' if rest.get(1) == Some(&b'\\') => quoted_end(bytes, at, b'\''),
        b'\'' => {
            let width = rest.get(1).map_or(1, |first| char_width(*first));
            match rest.get(1 + width) {
                Some(b'\'') => at + width + 2,
                _ => at,
            }
        }
        _ => at,
    }
}

fn quoted_end(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != quote {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

fn comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < bytes.len() {
        if bytes[end..].starts_with(b"/*") {
            (depth, end) = (depth + 1, end + 2);
        } else if bytes[end..].starts_with(b"*/") {
            (depth, end) = (depth - 1, end + 2);
            if depth == 0 {
                return end;
            }
        } else {
            end += 1;
        }
    }
    bytes.len()
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let from = from.min(bytes.len());
    let found = bytes[from..].windows(what.len()).position(|w| w == what);
    found.map_or(bytes.len(), |offset| from + offset)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn char_width(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// Blanks every item under `#[cfg(test)]`: up to its `;` or its closing brace.
fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    for (at, attribute) in code.match_indices(TEST_ONLY) {
        let mut depth = 0;
        let mut end = at + attribute.len();
        for (offset, byte) in code.bytes().enumerate().skip(end) {
            end = offset + 1;
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b';' if depth == 0 => break,
                _ => continue,
            }
            if depth == 0 {
                break;
            }
        }
        blank(&mut out, at, end);
    }
    String::from_utf8(out).expect("whole items were blanked")
}

fn blank(bytes: &mut [u8], from: usize, to: usize) {
    for byte in &mut bytes[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

#[test]
fn comments_and_literals_are_blanked_and_nothing_else() {
    let text = r####"a // unsafe
/* unsafe /* unsafe */ unsafe */ b "unsafe \" unsafe" c 'u' '\'' 'é' d<'unsafe_life>
r"unsafe" r#"unsafe " unsafe"# br##"x"# unsafe"## b"unsafe" c"unsafe" her"e""####;
    let code = Source::new("src/x.rs", text).code;
    assert_eq!(code.len(), text.len());
    assert_eq!(code.lines().count(), text.lines().count());
    let left: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(left, ["a", "b", "c", "d<'unsafe_life>", "b", "c", "her"]);
}

#[test]
fn tests_are_blanked_and_what_follows_stays() {
    let text = "a; #[cfg(test)] mod t { fn f() { x } } b; #[cfg(test)]\n#[path]\nmod u; c; \
                #[cfg(test)] use y; d";
    let code = Source::new("src/x.rs", text).code;
    let left: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(left, ["a;", "b;", "c;", "d"]);
}

#[test]
fn a_word_is_a_whole_word() {
    assert_eq!(words("unsafe unsafe_op not_unsafe", "unsafe"), [0]);
    assert_eq!(words("x.unwrap() x.unwrap_or(y)", "unwrap("), [2]);
    assert_eq!(words("CString String", "String"), [8]);
}

#[test]
fn a_path_is_a_module() {
    let module = |path: &str| Source::new(path, "").module().join("::");
    assert_eq!(module("src/lib.rs"), "");
    assert_eq!(module("src/step.rs"), "step");
    assert_eq!(module("src/plan/mod.rs"), "plan");
    assert_eq!(module("src/plan/mounts/tree.rs"), "plan::mounts::tree");
}

#[test]
fn only_what_is_declared_for_tests_is_a_test_file() {
    let files = |path: &str, text: &str| Source::new(path, text).test_files();
    let sample = "mod a; #[cfg(test)] mod b; #[cfg(test)] mod c { mod d; }";
    assert_eq!(files("src/x/mod.rs", sample), ["src/x/b.rs", "src/x/c.rs"]);
    assert_eq!(files("src/x.rs", "#[cfg(test)]\nmod b;"), ["src/x/b.rs"]);
    let sample = "// #[cfg(test)] mod n;\n#[cfg(test)]\n#[path = \"y.rs\"]\nmod tests;";
    assert_eq!(files("src/x/z.rs", sample), ["src/x/y.rs"]);
}
