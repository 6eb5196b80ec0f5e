//! The policy of a form: what its signer allows whoever sends it to say.
//!
//! It has nothing to do with a bucket's policy. It is the text that is signed, and so all that holds a form to what its
//! signer meant: it names every field, with its value or what the value begins with, and may bound the file's size.
//!
//! Invariants: a form that says anything its policy does not name is refused; a policy that does not read, or has expired,
//! allows nothing; a condition on a field that the form lacks is not met.
//! Source: "Creating a POST policy", Amazon S3 API Reference; codes as Ceph's s3-tests expect them.

use super::{
    super::{date, metadata, refusal::Refusal},
    multipart::Fields,
};
use serde::Deserialize;
use serde_json::Value;
use std::ops::RangeInclusive;

/// Fields that a policy need not name: those that carry it and its signature. A wrong checksum only refuses the file, and
/// who makes a policy does not know the file.
const EXEMPT: [&str; 4] = ["policy", "signature", "awsaccesskeyid", "x-amz-signature"];
const EXEMPT_BEGINNINGS: [&str; 2] = ["x-ignore-", "x-amz-checksum-"];

/// A policy, as it was signed.
pub(super) struct Policy {
    expires_ms: i64,
    conditions: Vec<Condition>,
    sizes: RangeInclusive<u64>,
}

/// What a field must be.
struct Condition {
    /// In lower case.
    field: String,
    text: String,
    is_beginning: bool,
}

#[derive(Deserialize)]
struct Document {
    expiration: String,
    conditions: Vec<Value>,
}

fn invalid(what: &str) -> Refusal {
    Refusal::new("InvalidPolicyDocument", format!("invalid policy: {what}"))
}

fn failed(what: &str) -> Refusal {
    Refusal::denied(format!("invalid according to policy: {what}"))
}

impl Policy {
    /// Reads a policy as a form carries it, in base64.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let text: String = text.split_ascii_whitespace().collect();
        let json = metadata::unbase64(&text).ok_or_else(|| invalid("it is not base64"))?;
        let document: Document =
            serde_json::from_slice(&json).map_err(|error| invalid(&format!("{error}")))?;
        let expires_ms = Some(&document.expiration).filter(|text| text.contains('T'));
        let expires_ms = expires_ms.and_then(|text| date::parse_ms(text));
        let mut policy = Self {
            expires_ms: expires_ms
                .ok_or_else(|| invalid("its expiration is a time such as 2026-11-23T10:15:00Z"))?,
            conditions: Vec::new(),
            sizes: 0..=u64::MAX,
        };
        for condition in &document.conditions {
            policy.add(condition).ok_or_else(|| invalid(&format!("condition {condition} does not read")))?;
        }
        Ok(policy)
    }

    /// Adds `{"field": "value"}`, `["eq", "$field", "value"]`, `["starts-with", "$field", "begin"]` or
    /// `["content-length-range", least, most]`; none if it is nothing of these.
    fn add(&mut self, condition: &Value) -> Option<()> {
        let (field, text, is_beginning) = match condition {
            Value::Object(map) => match map.iter().next().filter(|_| map.len() == 1) {
                Some((field, Value::String(text))) => (field, text, false),
                _ => return None,
            },
            Value::Array(parts) => match &parts[..] {
                [Value::String(kind), Value::String(field), Value::String(text)]
                    if kind.eq_ignore_ascii_case("eq") =>
                {
                    (field, text, false)
                }
                [Value::String(kind), Value::String(field), Value::String(text)]
                    if kind.eq_ignore_ascii_case("starts-with") =>
                {
                    (field, text, true)
                }
                [Value::String(kind), least, most] if kind.eq_ignore_ascii_case("content-length-range") => {
                    let (least, most) = (number(least)?, number(most)?);
                    if least > most {
                        return None;
                    }
                    self.sizes = least.max(*self.sizes.start())..=most.min(*self.sizes.end());
                    return Some(());
                }
                _ => return None,
            },
            _ => return None,
        };
        let field = field.strip_prefix('$').unwrap_or(field).to_ascii_lowercase();
        self.conditions.push(Condition { field, text: text.clone(), is_beginning });
        Some(())
    }

    /// The sizes that the file may have.
    pub(super) fn sizes(&self) -> RangeInclusive<u64> {
        self.sizes.clone()
    }

    /// Refuses a form that the policy does not allow. The bucket is one of the fields.
    pub(super) fn check(&self, fields: &Fields, now_ms: u64) -> Result<(), Refusal> {
        if u64::try_from(self.expires_ms).unwrap_or(0) <= now_ms {
            return Err(failed("the policy has expired"));
        }
        for condition in &self.conditions {
            if !fields.get(&condition.field).is_some_and(|value| condition.is_met(value)) {
                return Err(failed(&format!("the condition on {} failed", condition.field)));
            }
        }
        let is_named = |field: &str| {
            EXEMPT.contains(&field)
                || EXEMPT_BEGINNINGS.iter().any(|beginning| field.starts_with(beginning))
                || self.conditions.iter().any(|condition| condition.field == field)
        };
        match fields.keys().find(|field| !is_named(field)) {
            Some(field) => Err(failed(&format!("the policy says nothing of {field}"))),
            None => Ok(()),
        }
    }
}

impl Condition {
    fn is_met(&self, value: &str) -> bool {
        match (self.is_beginning, self.field.as_str()) {
            (false, _) => value == self.text,
            // A list of types begins like this in each of them.
            (true, "content-type") => value.split(',').all(|one| one.trim_start().starts_with(&self.text)),
            (true, _) => value.starts_with(&self.text),
        }
    }
}

/// A number of bytes. Some who make policies write it as a text.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
