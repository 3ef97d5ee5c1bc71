//! Every record fits the JSON Schema that is shipped, and the schema fits the record.
//! It must not know the record's fields a third time.

#[path = "../support/schema.rs"]
mod validator;

use crate::support::{self, Scratch};
use sandbox::plan::Shares;
use sandbox::policy::IoRates;
use sandbox::report::{Held, KilledBy, Limit, SCHEMA, Verdict, incomplete};
use sandbox::step::Step;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::OnceLock;

fn schema() -> &'static Value {
    static PARSED: OnceLock<Value> = OnceLock::new();
    PARSED.get_or_init(|| serde_json::from_str(SCHEMA).unwrap())
}

/// Is it a record, as the schema says?
pub fn valid(record: &Value) -> Result<(), String> {
    validator::check(&[schema()], record)
}

/// A record of a run with every part of it.
fn record() -> Value {
    let scratch = Scratch::new();
    let mut command = support::sandbox();
    command.arg("--report").arg(scratch.join("r"));
    command.args(["--output", "10", "--noise", "--", "/bin/true"]);
    assert_eq!(support::code(&support::run(&mut command)), 0);
    serde_json::from_str(&std::fs::read_to_string(scratch.join("r")).unwrap()).unwrap()
}

#[test]
fn a_record_is_valid_and_any_field_less_or_more_makes_it_invalid() {
    let whole = record();
    valid(&whole).unwrap();
    let paths = fields(&whole, "");
    assert!(paths.len() > 40, "{paths:?}");
    for path in &paths {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut less = whole.clone();
        less.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(name);
        assert!(valid(&less).is_err(), "without {path}");
        let mut more = whole.clone();
        let object = more.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        object.insert(format!("{name}_"), Value::Null);
        assert!(valid(&more).is_err(), "with {path}_");
        let mut other = whole.clone();
        *other.pointer_mut(path).unwrap() = json!([-1]);
        assert!(valid(&other).is_err(), "with another {path}");
    }
}

/// The place of every field, in objects of objects and lists too.
fn fields(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, value)| {
                let path = format!("{at}/{name}");
                let below = fields(value, &path);
                std::iter::once(path).chain(below)
            })
            .collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .flat_map(|(number, item)| fields(item, &format!("{at}/{number}")))
                .collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn what_the_schema_describes_is_there() {
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let described = |definition: &str| {
        let mut described = names(&schema()["$defs"][definition]["properties"]);
        // Of a batch only.
        if definition == "complete" {
            assert!(described.remove("test"));
        }
        described
    };
    let record = record();
    assert_eq!(names(&record), described("complete"));
    for (definition, place) in [
        ("exit", "/exit"),
        ("stream", "/stdout"),
        ("noise", "/noise"),
        ("held", "/limits/0"),
        ("layer", "/layers/0"),
    ] {
        let part = record
            .pointer(place)
            .unwrap_or_else(|| panic!("{place}: {record}"));
        assert_eq!(names(part), described(definition), "{place}");
    }
    // What one of its own records cannot be relied on to have.
    let violation = sandbox::report::Violation {
        syscall: None,
        number: None,
    };
    assert_eq!(names(&json!(violation)), described("violation"));
    let weakened = sandbox::report::Weakened {
        token: "",
        reason: String::new(),
    };
    assert_eq!(names(&json!(weakened)), described("weakened"));
    let file = sandbox::report::FileOutcome {
        direction: sandbox::transfer::Direction::In,
        inside: "x".into(),
        copied: Default::default(),
        error: None,
        content: None,
    };
    assert_eq!(names(&json!(file)), described("file"));
    for definition in [
        "complete",
        "exit",
        "stream",
        "noise",
        "held",
        "layer",
        "violation",
        "weakened",
        "file",
    ] {
        let required = schema()["$defs"][definition]["required"]
            .as_array()
            .unwrap();
        let required: BTreeSet<String> = required
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(required, described(definition), "{definition}");
    }
}

#[test]
fn every_word_of_the_record_is_one_of_the_schema() {
    let words = |place: &str| -> Vec<&str> {
        let list = schema().pointer(place).unwrap_or_else(|| panic!("{place}"));
        let words = list.as_array().unwrap().iter();
        words.filter_map(Value::as_str).collect()
    };
    let complete = |rest: &str| format!("/$defs/complete/properties/{rest}/enum");
    let names: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
    assert_eq!(words(&complete("verdict")), names);
    let names: Vec<&str> = KilledBy::ALL.iter().map(|by| by.name()).collect();
    assert_eq!(words(&complete("killed_by")), names);
    let names: Vec<&str> = Limit::ALL.iter().map(|limit| limit.name()).collect();
    assert_eq!(words(&complete("limits_hit/items")), names);
    let names: Vec<&str> = Step::ALL.iter().map(|step| step.name()).collect();
    assert_eq!(words("/$defs/layer/properties/step/enum"), names);
    assert_eq!(
        schema()["$defs"]["complete"]["properties"]["version"]["const"],
        sandbox::report::VERSION
    );
}

/// Of a machine whose controllers keep them; this one may have none.
#[test]
fn limits_of_speed_fit_the_record() {
    let rates = IoRates {
        read_bytes: Some(1),
        write_bytes: Some(2),
        reads: Some(3),
        writes: Some(4),
    };
    let shares = Shares {
        cpu_max: Some(50_000),
        cpu_weight: Some(33),
        io_max: [((8, 0), rates)].into(),
    };
    let mut whole = record();
    let limits = whole["limits"].as_array_mut().unwrap();
    limits.extend(shares.each().into_iter().map(|share| {
        json!(Held {
            limit: share.limit,
            most: share.most,
            unit: share.unit,
            by: share.by.into(),
        })
    }));
    assert!(limits.len() >= 6);
    valid(&whole).unwrap();
    *whole.pointer_mut("/limits/0/unit").unwrap() = json!("weights");
    assert!(valid(&whole).is_err());
}

#[test]
fn a_record_of_a_run_that_did_not_happen_is_valid_too() {
    let valid_text = |text: &str| valid(&serde_json::from_str(text).unwrap());
    valid_text(&incomplete(None)).unwrap();
    valid_text(&incomplete(Some((125, "no\nhint: x")))).unwrap();
    for wrong in [
        json!({"version": 2, "complete": false, "exit_code": 125}),
        json!({"version": 2, "complete": false, "error": "no"}),
        json!({"version": 2, "complete": false, "exit_code": 1, "error": "no"}),
        json!({"version": 2, "complete": true}),
        json!({"version": 1, "complete": false}),
        json!({"complete": false}),
        json!([]),
    ] {
        assert!(valid(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_part_of_the_schema_is_described() {
    let described = |rule: &Value| rule["description"].is_string();
    let definitions = schema()["$defs"].as_object().unwrap();
    for (name, definition) in definitions {
        let Some(properties) = definition["properties"].as_object() else {
            continue;
        };
        assert!(described(definition), "{name}");
        for (property, rule) in properties {
            let named = rule["$ref"].as_str().map(|place| &place[1..]);
            let told = described(rule)
                || rule.get("const").is_some()
                || named.is_some_and(|place| schema().pointer(place).is_some_and(described));
            assert!(told, "{name}.{property}");
        }
    }
}

#[test]
fn the_validator_rejects_what_each_keyword_forbids() {
    let object = json!({"properties": {"a": {"type": "integer"}}, "additionalProperties": false});
    let table = [
        (json!({"type": "integer"}), json!(1), json!(1.5)),
        (json!({"type": "integer"}), json!(u64::MAX), json!("1")),
        (json!({"type": "string"}), json!(""), json!(null)),
        (json!({"type": "null"}), json!(null), json!(0)),
        (json!({"type": "boolean"}), json!(true), json!(1)),
        (json!({"type": "array"}), json!([]), json!({})),
        (json!({"type": "object"}), json!({}), json!([])),
        (json!({"const": 2}), json!(2), json!(3)),
        (json!({"enum": [null, "a"]}), json!(null), json!("b")),
        (json!({"minimum": 1}), json!(1), json!(0)),
        (json!({"minimum": 0}), json!(u64::MAX), json!(-1)),
        (json!({"maximum": 255}), json!(255), json!(256)),
        (json!({"minLength": 2}), json!("äö"), json!("ä")),
        (
            json!({"uniqueItems": true}),
            json!([1, 2]),
            json!([1, 2, 1]),
        ),
        (
            json!({"items": {"type": "null"}}),
            json!([null]),
            json!([null, 0]),
        ),
        (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1})),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"b": 1}),
            json!({"a": 1}),
        ),
        (object.clone(), json!({"a": 1}), json!({"a": 1, "b": 1})),
        (object, json!({}), json!({"a": "1"})),
        (
            json!({"oneOf": [{"type": "null"}, {"const": 1}]}),
            json!(1),
            json!(2),
        ),
        (
            json!({"oneOf": [{"minimum": 0}, {"const": 1}]}),
            json!(2),
            json!(1),
        ),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"const": 1}}}),
            json!(1),
            json!(2),
        ),
    ];
    for (schema, right, wrong) in table {
        validator::check(&[&schema], &right).unwrap_or_else(|why| panic!("{schema}: {why}"));
        assert!(
            validator::check(&[&schema], &wrong).is_err(),
            "{schema} allows {wrong}"
        );
    }
    let unknown = json!({"pattern": "x"});
    assert!(std::panic::catch_unwind(|| validator::check(&[&unknown], &json!("x"))).is_err());
}
