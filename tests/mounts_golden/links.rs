//! Rules at symbolic links of the host, and behind them.

use super::mounts_host::{host, nothing};
use super::{plan, refusal};
use sandbox::policy::Access;

#[test]
fn a_host_link_stays_a_link_where_its_target_is_shown() {
    let tree = [
        "/usr/bin/sh*",
        "/usr/lib/x",
        "/bin -> usr/bin",
        "/lib -> usr/lib",
    ];
    let rules = vec![
        ("/bin", host("/bin", Access::Exec)),
        ("/bin/sh", nothing()),
        ("/lib", host("/lib", Access::Read)),
        ("/usr", host("/usr", Access::Exec)),
    ];
    // The rule for /bin/sh goes through our own link; /lib is narrower than
    // /usr and so a mount of its own.
    assert_eq!(
        plan(rules, &tree, &[]),
        "symlink /bin -> usr/bin\n\
         directory /lib 755\n\
         bind /lib from /usr/lib ro noexec\n\
         directory /usr 755\n\
         bind /usr from /usr ro\n\
         mask /usr/bin/sh file\n\
         seal /\n"
    );
}

#[test]
fn a_link_inside_a_read_only_tree_is_followed_within_it_only() {
    let tree = [
        "/usr/real/x",
        "/usr/link -> real",
        "/usr/out -> /var/x",
        "/var/x",
    ];
    let rules = |at: &'static str| vec![("/usr", host("/usr", Access::Exec)), (at, nothing())];
    assert_eq!(
        plan(rules("/usr/link/x"), &tree, &["/usr/link/x"]),
        "directory /usr 755\nbind /usr from /usr ro\nmask /usr/real/x file\nseal /\n"
    );
    let refused = refusal(rules("/usr/out"), &tree, &[]);
    assert!(
        refused.contains("leads out of `/usr`, to `/var/x`"),
        "{refused}"
    );
}

#[test]
fn a_link_that_leads_below_a_rule_placed_later_is_refused() {
    let tree = ["/usr/real/x", "/usr/link -> real", "/other/x"];
    let rules = |place: &'static str| {
        vec![
            ("/usr", host("/usr", Access::Exec)),
            ("/usr/link/x", nothing()),
            (place, host("/other", Access::Read)),
        ]
    };
    let asked = ["/usr/link/x", "/usr/none"];
    assert_eq!(
        refusal(rules("/usr/real"), &tree, &asked),
        "`/usr/real/x` (rule p.toml:2) lies, through a symbolic link, below `/usr/real` which \
         has a rule of its own"
    );
    assert!(plan(rules("/x"), &tree, &asked).contains("mask /usr/real/x file"));
}

/// What is around it does as it says, until another rule is placed through a link.
#[test]
fn a_rule_without_a_mount_of_its_own_holds_or_is_refused() {
    let tree = [
        "/usr/a/",
        "/usr/b/",
        "/usr/to-a -> a",
        "/usr/b/to-a -> /usr/a",
        "/bin -> usr/a",
        "/etc/time -> /usr/a",
        "/etc/dns -> /run/dns",
        "/run/dns",
    ];
    let usr = ("/usr", host("/usr", Access::Exec));
    let etc = ("/etc", host("/etc", Access::Read));
    let itself = |at: &'static str, access| (at, host(at, access));
    let cases = [
        (
            itself("/usr/a", Access::Exec),
            itself("/usr/to-a", Access::Write),
            "rule p.toml:2 allows \"exec\" at `/usr/a`, where rule p.toml:3 for `/usr/a` allows \
             \"write\"\nhint: drop one of the two, or let both say the same",
        ),
        (
            itself("/bin", Access::Exec),
            itself("/usr/to-a", Access::Write),
            "cannot place `/bin` (rule p.toml:2): `/bin` is a symbolic link to `/usr/a`, where \
             rule p.toml:3 for `/usr/a` allows \"write\"\n\
             hint: drop the rule: following the link gives what the other one allows",
        ),
        (
            itself("/usr/b", Access::Read),
            itself("/usr/b/to-a", Access::Read),
            "cannot place `/usr/b/to-a` (rule p.toml:3): `/usr/b/to-a` is a symbolic link to \
             `/usr/a`, where rule p.toml:1 for `/usr` allows \"exec\"\n\
             hint: drop the rule: following the link gives what the other one allows",
        ),
        (
            etc.clone(),
            itself("/etc/time", Access::Read),
            "cannot place `/etc/time` (rule p.toml:3): `/etc/time` is a symbolic link to \
             `/usr/a`, where rule p.toml:1 for `/usr` allows \"exec\"\n\
             hint: drop the rule: following the link gives what the other one allows",
        ),
        (
            etc.clone(),
            itself("/etc/dns", Access::Read),
            "cannot place `/etc/dns` (rule p.toml:3): `/etc/dns` is a symbolic link to \
             `/run/dns`, which no rule shows\nhint: name `/run/dns` instead",
        ),
    ];
    for (second, third, expected) in cases {
        assert_eq!(
            refusal(vec![usr.clone(), second, third], &tree, &[]),
            expected
        );
    }
    // Where all say the same there is nothing to do, and nothing to refuse.
    let rules = vec![
        etc,
        itself("/etc/dns", Access::Read),
        itself("/run", Access::Read),
    ];
    assert_eq!(
        plan(rules, &tree, &[]),
        "directory /etc 755\n\
         bind /etc from /etc ro noexec\n\
         directory /run 755\n\
         bind /run from /run ro noexec\n\
         seal /\n"
    );
    // The tree has another name inside, and the link leads where that says nothing.
    let rules = vec![
        ("/x", host("/etc", Access::Read)),
        ("/x/dns", host("/etc/dns", Access::Read)),
        itself("/run", Access::Read),
    ];
    let refused = refusal(rules, &tree, &[]);
    assert!(
        refused.contains("leads out of `/etc`, to `/run/dns`"),
        "{refused}"
    );
}

#[test]
fn a_source_behind_a_link_that_the_program_could_replace_is_refused() {
    let tree = ["/src/in/", "/src/a -> in", "/src/b -> ../key", "/key/k"];
    let rules = |source: &str, access| {
        let work = ("/work", host("/src", access));
        vec![work, ("/x", host(source, Access::Read))]
    };
    for source in ["/src/b", "/src/b/k"] {
        let refused = refusal(rules(source, Access::Write), &tree, &[source]);
        assert!(
            refused.contains("cannot follow `/src/b` (rule p.toml:2) to `/key"),
            "{refused}"
        );
        assert!(refused.contains("the program may replace that symbolic link"));
        assert!(plan(rules(source, Access::Read), &tree, &[source]).contains("bind /x from /key"));
    }
    // What it leads to is the program's anyway.
    assert!(plan(rules("/src/a", Access::Write), &tree, &[]).contains("bind /x from /src/in"));
}
