//! The request for a scope: whom it goes to, and its bytes.

use super::*;

fn paths(uid: u32, runtime: Option<&str>, bus: Option<&str>) -> Vec<String> {
    known(uid, runtime.map(OsString::from), bus.map(OsString::from))
        .iter()
        .map(|manager| {
            format!(
                "{}{}",
                manager.address.tick(),
                if manager.bus { " bus" } else { "" }
            )
        })
        .collect()
}

#[test]
fn the_managers_own_socket_comes_before_the_bus() {
    assert_eq!(
        paths(7, Some("/r"), Some("unix:path=/b;tcp:host=x")),
        ["`/r/systemd/private`", "`/b` bus", "`/r/bus` bus"]
    );
    assert_eq!(
        paths(7, Some("/r"), Some("unix:path=/r/bus,guid=1")),
        ["`/r/systemd/private`", "`/r/bus` bus"]
    );
}

#[test]
fn a_login_without_variables_has_the_usual_places() {
    let usual = ["`/run/user/7/systemd/private`", "`/run/user/7/bus` bus"];
    assert_eq!(paths(7, None, None), usual);
    assert_eq!(paths(7, Some("relative"), Some("")), usual);
    assert_eq!(paths(0, None, None)[0], "`/run/systemd/private`");
    let long = format!("/{}", "x".repeat(200));
    assert!(paths(7, Some(&long), None).is_empty());
}

/// Read back by hand: alignment of a variant in a struct in an array, and lengths.
#[test]
fn the_request_is_laid_out_as_its_signature_says() {
    let body = start_transient_unit("a.scope");
    let mut at = 0usize;
    let number = |at: &mut usize| {
        *at = at.next_multiple_of(4);
        let value = u32::from_le_bytes(body[*at..*at + 4].try_into().unwrap());
        *at += 4;
        value as usize
    };
    let string = |at: &mut usize| {
        let length = number(at);
        let text = std::str::from_utf8(&body[*at..*at + length]).unwrap();
        assert_eq!(body[*at + length], 0);
        *at += length + 1;
        text.to_owned()
    };
    assert_eq!(string(&mut at), "a.scope");
    assert_eq!(string(&mut at), "fail");
    at = at.next_multiple_of(4);
    let length = u32::from_le_bytes(body[at..at + 4].try_into().unwrap()) as usize;
    at = (at + 4).next_multiple_of(8);
    let end = at + length;
    let mut keys = Vec::new();
    while at < end {
        at = at.next_multiple_of(8);
        let key = string(&mut at);
        let kind_length = usize::from(body[at]);
        let kind = std::str::from_utf8(&body[at + 1..at + 1 + kind_length]).unwrap();
        at += kind_length + 2;
        match kind {
            "s" => drop(string(&mut at)),
            "b" => {
                at = at.next_multiple_of(4) + 4;
                assert_eq!(body[at - 4..at], [1, 0, 0, 0], "{key}");
            }
            "au" => {
                at = at.next_multiple_of(4) + 8;
                assert_eq!(body[at - 8..at], [4, 0, 0, 0, 0, 0, 0, 0], "{key}");
            }
            other => panic!("{key}: {other}"),
        }
        keys.push(format!("{key} {kind}"));
    }
    assert_eq!(at, end);
    assert_eq!(
        keys,
        ["Description s", "CollectMode s", "Delegate b", "PIDs au"]
    );
    // No further units: an empty array, padded to its element.
    at = at.next_multiple_of(4);
    assert_eq!(body[at..at + 4], [0; 4]);
    assert_eq!(body.len(), (at + 4).next_multiple_of(8));
}

#[test]
fn without_a_manager_the_first_reason_is_given() {
    let missing = |path: &str| Manager {
        address: Address::Path(path.as_bytes().to_vec()),
        bus: false,
    };
    let all = [
        missing("/nonexistent/first"),
        missing("/nonexistent/second"),
    ];
    let text = move_to_scope(&all).unwrap_err().to_string();
    assert_eq!(
        text,
        "cannot connect to `/nonexistent/first`: No such file or directory"
    );
}
