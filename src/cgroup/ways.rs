//! The ways to a home, in their order: given, beside our own group, below it where
//! nothing moves, a scope of systemd, our own group with its processes moved aside.
//!
//! A way ends in a trial (`Home::settle`) or in a sentence. What is not ours is left
//! alone: groups that systemd manages and did not delegate, whoever owns their files.

use super::controllers::Controllers;
use super::failure::{Attempt, Failure, Unavailable};
use super::group::Group;
use super::home::{Home, Moving, Origin, Search, Wanted};
use super::own::Place;
use super::systemd;
use crate::escape::tick;
use crate::sys::fd;
use std::os::fd::AsFd;
use std::path::Path;

/// The group that processes are moved to.
const FRONT: &str = "front";

/// What was tried so far.
struct Tries {
    wanted: Controllers,
    best: Option<Home>,
    attempts: Vec<Attempt>,
}

impl Tries {
    fn failed(&mut self, origin: Origin, failure: Failure) {
        self.attempts.push(Attempt { origin, failure });
    }

    /// Keeps the home when it has more than the best so far.
    fn offer(&mut self, origin: Origin, tried: Result<Home, Failure>) {
        let mut home = match tried {
            Ok(home) => home,
            Err(failure) => return self.failed(origin, failure),
        };
        self.attempts.append(&mut home.attempts);
        let has = |home: &Home| (home.controllers() & self.wanted).len();
        if self.best.as_ref().is_none_or(|best| has(&home) > has(best)) {
            self.best = Some(home);
        }
    }

    /// Controllers that are still to be found.
    fn missing(&self) -> Controllers {
        let found = self.best.as_ref().map(Home::controllers);
        self.wanted - found.unwrap_or_default()
    }

    fn is_done(&self) -> bool {
        self.best.as_ref().is_some_and(Home::is_whole)
    }

    fn end(self) -> Result<Home, Unavailable> {
        match self.best {
            Some(mut home) => {
                home.attempts = self.attempts;
                Ok(home)
            }
            None => Err(Unavailable {
                missing: Controllers::NONE,
                attempts: self.attempts,
            }),
        }
    }
}

pub(super) fn find(search: &Search) -> Result<Home, Unavailable> {
    let mut tries = Tries {
        wanted: search.controllers,
        best: None,
        attempts: Vec::new(),
    };
    let allowed = search.moving == Moving::Allowed;
    match &search.wanted {
        Wanted::None => tries.failed(Origin::Given, Failure::new("none is wanted")),
        Wanted::Directory(path) => given(&mut tries, path, allowed),
        Wanted::Auto => match Place::find() {
            Err(failure) => tries.failed(Origin::Own, failure),
            Ok(place) => {
                resting(&mut tries, &place);
                if !tries.is_done() && allowed {
                    moving(&mut tries, &place);
                }
            }
        },
    }
    tries.end()
}

/// The user's, and no other.
fn given(tries: &mut Tries, path: &Path, may_move: bool) {
    let settle = |group| Home::settle(group, Origin::Given, tries.wanted);
    let tried = Group::open(path).and_then(settle);
    tries.offer(Origin::Given, tried);
    // Our own, most likely: given to a service, which starts us in it.
    let caller = nix::unistd::getpid().as_raw();
    let Ok(group) = Group::open(path) else { return };
    let ours = group.processes().is_ok_and(|all| all.contains(&caller));
    if may_move && ours && !tries.is_done() {
        let tried = settle_aside(group, Origin::Given, tries.wanted, tries.missing());
        tries.offer(Origin::Given, tried);
    }
}

/// Ways that move nobody.
fn resting(tries: &mut Tries, place: &Place) {
    for above in place.above() {
        let origin = match above.as_os_str().is_empty() && place.is_root {
            true => Origin::Root,
            false => Origin::Sibling,
        };
        let before = tries.best.is_some();
        let group = unmanaged(place, above).and_then(|()| place.group(above));
        let settle = |group| Home::settle(group, origin, tries.wanted);
        let tried = group.and_then(settle);
        let failed = tried.is_err();
        tries.offer(origin, tried);
        // What is above a group that is not ours is not ours either; and no more than
        // one sentence is of use.
        if tries.is_done() || failed {
            // A failure above one that worked says nothing new.
            if failed && before {
                tries.attempts.pop();
            }
            break;
        }
    }
    if tries.best.is_some() {
        return;
    }
    // Below a group with processes there are no controllers, but time is counted and
    // `cgroup.kill` works. The root of the machine has no such rule.
    let wanted = match unmanaged(place, &place.below) {
        Ok(()) => tries.wanted,
        Err(_) => Controllers::NONE,
    };
    let origin = own_origin(place);
    let settle = |group| Home::settle(group, origin, wanted);
    let tried = place
        .own()
        .and_then(settle)
        .map(|home| home.asked(tries.wanted));
    tries.offer(origin, tried);
}

fn own_origin(place: &Place) -> Origin {
    match place.below.as_os_str().is_empty() && place.is_root {
        true => Origin::Root,
        false => Origin::Own,
    }
}

/// Ways that move this process, and those beside it.
fn moving(tries: &mut Tries, place: &Place) {
    // What the whole tree has not, nobody can give.
    let offered = place.top.available() & tries.missing();
    if offered.is_empty() {
        if !tries.missing().is_empty() {
            tries.failed(Origin::Systemd, nowhere(place, tries.missing()));
        }
        if tries.best.is_some() {
            return;
        }
    }
    let scope = systemd::move_to_scope(&systemd::managers());
    let moved = scope.is_ok();
    let tried = scope.and_then(|()| settle_scope(tries.wanted));
    // Seen from the scope, what was found before may be out of reach.
    if moved && tries.best.as_ref().is_some_and(|best| !best.still_works()) {
        tries.best = None;
    }
    tries.offer(Origin::Systemd, tried);
    if tries.is_done() || moved {
        return;
    }
    let origin = own_origin(place);
    let tried = unmanaged(place, &place.below)
        .and_then(|()| place.own())
        .and_then(|own| settle_aside(own, origin, tries.wanted, tries.missing()));
    tries.offer(origin, tried);
}

fn nowhere(place: &Place, missing: Controllers) -> Failure {
    let failure = Failure::new(format!(
        "all of cgroup v2 at {} is without: {missing}",
        place.top.tick()
    ));
    let elsewhere = missing & place.taken_by_v1;
    match elsewhere.is_empty() {
        true => failure,
        false => failure.hint(format!(
            "cgroup v1 has {elsewhere} on this machine: boot with `systemd.unified_cgroup_hierarchy=1`, or without its v1 mounts"
        )),
    }
}

/// This process sits in a scope of its own: it goes to the front of it.
fn settle_scope(wanted: Controllers) -> Result<Home, Failure> {
    let scope = Place::find()?.own()?;
    let aside = Aside::make(&scope)?;
    let home = Home::settle(
        scope.again().map_err(|errno| lost(&scope, errno))?,
        Origin::Systemd,
        wanted,
    )?;
    aside.stay();
    Ok(home)
}

/// A group of ours with processes in it: all go to the front of it, if that gives us
/// a controller that is missing.
fn settle_aside(
    group: Group,
    origin: Origin,
    wanted: Controllers,
    missing: Controllers,
) -> Result<Home, Failure> {
    let offered = group.available() & missing;
    if offered.is_empty() {
        return Err(Failure::new(format!(
            "{} was not given: {missing}",
            group.tick()
        )));
    }
    let aside = Aside::make(&group)?;
    let again = group.again().map_err(|errno| lost(&group, errno))?;
    let home = Home::settle(again, origin, wanted)?;
    if (home.controllers() & missing).is_empty() {
        let Home { mut attempts, .. } = home;
        let why = attempts.pop().map(|attempt| attempt.failure);
        return Err(why.unwrap_or_else(|| Failure::new("nothing was gained by moving aside")));
    }
    aside.stay();
    Ok(home)
}

fn lost(group: &Group, errno: crate::sys::Errno) -> Failure {
    Failure::because(format_args!("open {}", group.tick()), errno)
}

/// The processes of a group, moved to a group `front` below it. Dropped, they go back.
struct Aside<'a> {
    group: &'a Group,
    handed_on: Controllers,
    moved: Vec<libc::pid_t>,
    made: bool,
    stays: bool,
}

impl<'a> Aside<'a> {
    fn make(group: &'a Group) -> Result<Aside<'a>, Failure> {
        let made = match group.make(FRONT) {
            Ok(()) => true,
            // Another of us was here, or is here now: it means the same.
            Err(crate::sys::Errno::EEXIST) => false,
            Err(errno) => {
                let what = format_args!("make a group below {}", group.tick()).to_string();
                return Err(Failure::because(what, errno));
            }
        };
        let mut aside = Aside {
            group,
            handed_on: group.handed_on(),
            moved: Vec::new(),
            made,
            stays: false,
        };
        aside.move_all()?;
        Ok(aside)
    }

    fn move_all(&mut self) -> Result<(), Failure> {
        let to = self.group.path().join(FRONT);
        let front = self.group.below(Path::new(FRONT));
        let front =
            front.map_err(|errno| Failure::because(format_args!("open {}", tick(&to)), errno))?;
        // New ones are started meanwhile by those that have not moved yet.
        for _ in 0..64 {
            let here = self.group.processes();
            let here = here.map_err(|errno| lost(self.group, errno))?;
            if here.is_empty() {
                return Ok(());
            }
            for pid in here {
                if pid <= 0 {
                    return Err(Failure::new(format!(
                        "{} has a process of another pid namespace, which cannot be moved from here",
                        self.group.tick()
                    )));
                }
                match front.take_in(pid) {
                    Ok(()) => self.moved.push(pid),
                    // It has ended.
                    Err(crate::sys::Errno::ESRCH) => {}
                    Err(errno) => {
                        let what = format!("move process {pid} to {}", tick(&to));
                        return Err(Failure::because(what, errno));
                    }
                }
            }
        }
        Err(Failure::new(format!(
            "processes of {} are started faster than they can be moved",
            self.group.tick()
        )))
    }

    /// Where they are is where they stay.
    fn stay(mut self) {
        self.stays = true;
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        self.group
            .take_back(self.group.handed_on() - self.handed_on);
        for pid in &self.moved {
            let _ = self.group.take_in(*pid);
        }
        if self.made {
            // What they started meanwhile is still there.
            if let Ok(front) = self.group.below(Path::new(FRONT)) {
                for pid in front.processes().unwrap_or_default() {
                    let _ = self.group.take_in(pid);
                }
            }
            let _ = self.group.remove(FRONT);
        }
    }
}

/// systemd allows one writer for each part of the tree: it takes controllers back, at
/// its next reload, from groups that it manages. Only what it delegated is ours, whoever
/// owns the files.
fn unmanaged(place: &Place, below: &Path) -> Result<(), Failure> {
    for path in below.ancestors() {
        let opened;
        let group = match path.as_os_str().is_empty() {
            true => &place.top,
            false => {
                opened = place.group(path)?;
                &opened
            }
        };
        let managed = |why: &str| {
            Failure::new(format!("{} {why}", group.tick())).hint(
                "have a part of the tree delegated: `systemd-run --user --scope -p Delegate=yes …`, or `Delegate=yes` in the unit",
            )
        };
        // The manager itself sits there: pid 1, or a user's.
        if group.below(Path::new("init.scope")).is_ok() {
            return Err(managed("is systemd's"));
        }
        if path
            .file_name()
            .is_some_and(|name| is_unit(&name.to_string_lossy()))
        {
            return match is_delegated(group) {
                true => Ok(()),
                false => Err(managed("is a unit of systemd, which has not delegated it")),
            };
        }
    }
    Ok(())
}

fn is_unit(name: &str) -> bool {
    const KINDS: [&str; 6] = ["scope", "service", "slice", "mount", "socket", "swap"];
    name.rsplit_once('.')
        .is_some_and(|(_, kind)| KINDS.contains(&kind))
}

/// systemd says so on the directory (systemd.resource-control(5), since 251 in an
/// attribute that everybody may read).
fn is_delegated(group: &Group) -> bool {
    [c"user.delegate", c"trusted.delegate"].iter().any(|name| {
        let mut value = [0u8; 8];
        let length = fd::attribute(group.as_fd(), name, &mut value);
        length.is_ok_and(|length| value.get(..length) == Some(b"1"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_by_their_names() {
        for name in [
            "a.scope",
            "user@1000.service",
            "user-1000.slice",
            "x.y.mount",
        ] {
            assert!(is_unit(name), "{name}");
        }
        for name in [
            "front",
            "scope",
            "sandbox-1-0123456789abcdef",
            "a.scopes",
            "",
        ] {
            assert!(!is_unit(name), "{name}");
        }
    }

    #[test]
    fn none_is_none() {
        let search = Search {
            wanted: Wanted::None,
            ..Search::default()
        };
        let failure = find(&search).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "no control group can be made\n  the directory given: none is wanted"
        );
    }

    #[test]
    fn what_is_not_cgroup_v2_is_refused_by_name() {
        for (path, why) in [
            ("/proc", "is not of cgroup v2"),
            ("/nonexistent", "No such file"),
        ] {
            let search = Search {
                wanted: Wanted::Directory(path.into()),
                moving: Moving::Allowed,
                ..Search::default()
            };
            let text = find(&search).unwrap_err().to_string();
            assert!(text.contains(why) && text.contains(path), "{text}");
        }
    }
}
