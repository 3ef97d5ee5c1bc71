//! A validator for the keywords that our own JSON Schemas use, as draft 2020-12 defines them.
//! It must not pass over a keyword that it does not know: that would be a check less.

use serde_json::{Map, Value};

/// Keywords that say something to people, or to `$ref`.
const SILENT: [&str; 5] = ["$schema", "$id", "$defs", "title", "description"];

/// What is wrong with the value, with the place of it; nothing when it is valid. The
/// first schema is the one; it may refer to the others by their `$id`.
pub fn check(schemas: &[&Value], value: &Value) -> Result<(), String> {
    let validator = Validator {
        root: schemas[0],
        schemas,
    };
    validator.check(schemas[0], value, "")
}

#[derive(Clone, Copy)]
struct Validator<'s> {
    /// The one that is read at this moment.
    root: &'s Value,
    schemas: &'s [&'s Value],
}

impl<'s> Validator<'s> {
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let rules = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(rules) => rules,
            _ => return Err(format!("{at}: nothing is allowed here")),
        };
        for (keyword, rule) in rules {
            self.keyword(rules, keyword, rule, value, at)?;
        }
        Ok(())
    }

    fn keyword(
        &self,
        rules: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        at: &str,
    ) -> Result<(), String> {
        let hold = |holds: bool| match holds {
            true => Ok(()),
            false => Err(format!("{at}: {value} breaks `{keyword}: {rule}`")),
        };
        match keyword {
            silent if SILENT.contains(&silent) => Ok(()),
            "$ref" => {
                let (there, definition) = self.definition(text(rule));
                there.check(definition, value, at)
            }
            "type" => hold(is_a(value, text(rule))),
            "const" => hold(value == rule),
            "enum" => hold(list(rule).contains(value)),
            "minimum" => hold(!value.is_number() || whole(value) >= whole(rule)),
            "maximum" => hold(!value.is_number() || whole(value) <= whole(rule)),
            "minLength" => hold(
                value
                    .as_str()
                    .is_none_or(|text| text.chars().count() as i128 >= whole(rule)),
            ),
            "uniqueItems" => {
                assert_eq!(
                    rule,
                    &Value::Bool(true),
                    "another `uniqueItems` is not known"
                );
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let twice = |(at, item)| items[..at].contains(item);
                hold(!items.iter().enumerate().any(twice))
            }
            "items" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice).iter();
                items.enumerate().try_for_each(|(number, item)| {
                    self.check(rule, item, &format!("{at}/{number}"))
                })
            }
            "required" => {
                let Some(object) = value.as_object() else {
                    return Ok(());
                };
                hold(
                    list(rule)
                        .iter()
                        .all(|name| object.contains_key(text(name))),
                )
            }
            "dependentRequired" => {
                let Some(object) = value.as_object() else {
                    return Ok(());
                };
                let mut rules = map(rule).iter();
                hold(rules.all(|(name, needed)| {
                    !object.contains_key(name)
                        || list(needed)
                            .iter()
                            .all(|name| object.contains_key(text(name)))
                }))
            }
            "properties" => {
                let Some(object) = value.as_object() else {
                    return Ok(());
                };
                map(rule)
                    .iter()
                    .try_for_each(|(name, rule)| match object.get(name) {
                        Some(value) => self.check(rule, value, &format!("{at}/{name}")),
                        None => Ok(()),
                    })
            }
            "additionalProperties" => {
                assert_eq!(
                    rule,
                    &Value::Bool(false),
                    "another `additionalProperties` is not known"
                );
                let Some(object) = value.as_object() else {
                    return Ok(());
                };
                let known = rules.get("properties").map(map);
                match object
                    .keys()
                    .find(|name| known.is_none_or(|known| !known.contains_key(*name)))
                {
                    Some(name) => Err(format!("{at}: `{name}` is not described")),
                    None => Ok(()),
                }
            }
            "oneOf" => {
                let answers: Vec<_> = list(rule)
                    .iter()
                    .map(|rule| self.check(rule, value, at))
                    .collect();
                match answers.iter().filter(|answer| answer.is_ok()).count() {
                    1 => Ok(()),
                    fitting => Err(format!(
                        "{at}: {fitting} of `oneOf` fit, not one: {answers:?}"
                    )),
                }
            }
            unknown => panic!("the keyword `{unknown}` is not known here"),
        }
    }

    /// What a reference within the schema, or into another, leads to.
    fn definition(&self, reference: &str) -> (Validator<'s>, &'s Value) {
        let found = reference.split_once('#').and_then(|(name, pointer)| {
            let mut named = self.schemas.iter().filter(|schema| schema["$id"] == name);
            let root = match name {
                "" => self.root,
                _ => named.next()?,
            };
            Some((Validator { root, ..*self }, root.pointer(pointer)?))
        });
        found.unwrap_or_else(|| panic!("`{reference}` leads nowhere"))
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        unknown => panic!("the type `{unknown}` is not known here"),
    }
}

fn text(rule: &Value) -> &str {
    rule.as_str().unwrap_or_else(|| panic!("{rule} is no text"))
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array()
        .unwrap_or_else(|| panic!("{rule} is no list"))
}

fn map(rule: &Value) -> &Map<String, Value> {
    rule.as_object()
        .unwrap_or_else(|| panic!("{rule} is no object"))
}

/// No number here has a fraction.
fn whole(number: &Value) -> i128 {
    let signed = number.as_i64().map(i128::from);
    let whole = signed.or(number.as_u64().map(i128::from));
    whole.unwrap_or_else(|| panic!("{number} is no whole number"))
}
