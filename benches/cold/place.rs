//! A directory for one measurement, with everything in it that is executed; gone when
//! the measurement is over.

use crate::elf;
use std::error::Error;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs in C, part of this file so that they need not be found later.
const FLOOR: &str = include_str!("../floor.c");
const USAGE: &str = include_str!("../usage.c");
const INSIDE: &str = include_str!("../inside.c");

/// What is in the directory.
#[derive(Clone)]
pub struct Place(PathBuf);

impl Place {
    pub fn at(path: impl Into<PathBuf>) -> Place {
        Place(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The working directory of every row, which may be written to.
    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// For what the peers keep between runs.
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// The program that does nothing.
    pub fn nothing(&self) -> PathBuf {
        self.0.join("nothing")
    }

    /// A program in this directory, if it is there.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.0.join(name)).filter(|path| path.is_file())
    }
}

/// Removes the directory when it is dropped.
pub struct Kept(pub Place);

impl Kept {
    /// Makes and fills it. `release` is the binary that is measured.
    pub fn new(release: &Path) -> Result<Kept, Box<dyn Error>> {
        // Not in /tmp: the program would then lie in a tree that `strict` makes
        // anew, and take more mounts than a program elsewhere.
        let path = PathBuf::from(format!("/var/tmp/sandbox-bench-{}", std::process::id()));
        fs::create_dir(&path)?;
        let kept = Kept(Place(path));
        let place = &kept.0;
        fs::create_dir(place.work())?;
        fs::create_dir(place.state())?;
        fs::set_permissions(place.state(), Permissions::from_mode(0o700))?;
        fs::write(place.nothing(), elf::nothing())?;
        copy(release, &place.0.join("sandbox"))?;
        if let Some(musl) = std::env::var_os("SANDBOX_STATIC") {
            copy(Path::new(&musl), &place.0.join("sandbox-static"))?;
        }
        if let Some(hakoniwa) = find("hakoniwa") {
            // Below a home directory, most often, that another user cannot enter.
            copy(&hakoniwa, &place.0.join("hakoniwa"))?;
        }
        copy(&std::env::current_exe()?, &place.0.join("cold"))?;
        fs::set_permissions(place.nothing(), Permissions::from_mode(0o755))?;
        match compiler() {
            Some(compiler) => {
                for (source, name) in [(FLOOR, "floor"), (USAGE, "usage"), (INSIDE, "inside")] {
                    if !compile(&compiler, source, &place.0.join(name))? {
                        eprintln!("without {name}: it cannot be compiled and linked statically");
                    }
                }
            }
            None => eprintln!("without floor, processor time and memory: no C compiler"),
        }
        Ok(kept)
    }

    /// Gives what is written to during the measurement to another user.
    pub fn give_to(&self, id: u32) -> std::io::Result<()> {
        for path in [self.0.0.clone(), self.0.work(), self.0.state()] {
            chown(path, Some(id), Some(id))?;
        }
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0.0) {
            eprintln!("cold: cannot remove `{}`: {error}", self.0.0.display());
        }
    }
}

/// musl's, whose programs start with the least; otherwise any.
fn compiler() -> Option<PathBuf> {
    let musl = find("musl-gcc");
    if musl.is_none() {
        eprintln!("the floor is not musl's: no `musl-gcc` (Debian's package musl-tools)");
    }
    musl.or_else(|| find("cc"))
}

fn compile(compiler: &Path, source: &str, to: &Path) -> Result<bool, Box<dyn Error>> {
    let mut child = Command::new(compiler)
        .args(["-std=gnu11", "-O2", "-static", "-s", "-x", "c", "-", "-o"])
        .arg(to)
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(source.as_bytes())?;
    }
    Ok(child.wait()?.success())
}

fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::copy(from, to).map_err(|error| format!("cannot copy `{}`: {error}", from.display()))?;
    fs::set_permissions(to, Permissions::from_mode(0o755))?;
    Ok(())
}

/// A program of the PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
