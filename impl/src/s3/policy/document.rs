//! The JSON of a policy as it was written, before it means anything.
//!
//! `serde_json::Value` keeps the last of two fields of one name. In a policy the lost one may be the condition that kept
//! strangers out, so a name that comes twice is refused here.
//!
//! Invariant: the names in an object are distinct. The parser bounds the depth (128), the caller the size.

use super::PolicyError;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A string.
    Text(String),
    /// A number or boolean, as text: conditions compare both as if they were quoted.
    Bare(String),
    /// An array.
    List(Vec<Node>),
    /// An object, in its order.
    Fields(Fields),
}

/// The fields of an object.
pub(super) type Fields = Vec<(String, Node)>;

impl Node {
    /// Parses a text; the error names line and column.
    pub(super) fn parse(text: &str) -> Result<Self, PolicyError> {
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let at = format!(" at line {line} column {column}");
            let reason = error.to_string().replace(&at, "");
            PolicyError::NotJson { line, column, reason }
        })
    }

    /// The fields of an object, all of which are `known`.
    pub(super) fn fields_of(&self, at: &str, known: &[&str]) -> Result<&Fields, PolicyError> {
        let fields = self.fields(at)?;
        match fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => {
                Err(PolicyError::at(at, format!("{name} is not supported; use one of {}", known.join(", "))))
            }
            None => Ok(fields),
        }
    }

    /// The fields of an object.
    pub(super) fn fields(&self, at: &str) -> Result<&Fields, PolicyError> {
        match self {
            Self::Fields(fields) => Ok(fields),
            _ => Err(PolicyError::at(at, "expected an object")),
        }
    }

    /// A string.
    pub(super) fn text(&self, at: &str) -> Result<&str, PolicyError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(PolicyError::at(at, "expected a string")),
        }
    }

    /// One value or a list of some.
    pub(super) fn items(&self, at: &str) -> Result<&[Self], PolicyError> {
        match self {
            Self::List(items) if items.is_empty() => {
                Err(PolicyError::at(at, "the list is empty; name one or more"))
            }
            Self::List(items) => Ok(items),
            one => Ok(std::slice::from_ref(one)),
        }
    }

    /// One string or a list of some.
    pub(super) fn texts(&self, at: &str) -> Result<Vec<&str>, PolicyError> {
        self.items(at)?.iter().map(|item| item.text(at)).collect()
    }

    /// One string, number or boolean, or a list of some.
    pub(super) fn scalars(&self, at: &str) -> Result<Vec<&str>, PolicyError> {
        self.items(at)?.iter().map(|item| item.scalar(at)).collect()
    }

    fn scalar(&self, at: &str) -> Result<&str, PolicyError> {
        match self {
            Self::Text(text) | Self::Bare(text) => Ok(text),
            _ => Err(PolicyError::at(at, "expected a string, a number or a boolean")),
        }
    }
}

/// The field of a name.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a Node> {
    fields.iter().find(|(known, _)| known == name).map(|(_, node)| node)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, a list, a string, a number or a boolean")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bare(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Bare(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Bare(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Bare(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = Fields::new();
        while let Some((name, node)) = entries.next_entry::<String, Node>()? {
            if field(&fields, &name).is_some() {
                return Err(Error::custom(format!("{name} comes twice in one object")));
            }
            fields.push((name, node));
        }
        Ok(Node::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_booleans_are_read_as_text() {
        let node = Node::parse(r#"{"a": ["x", 10, -1, 1.5, true]}"#).unwrap();
        let list = field(node.fields("").unwrap(), "a").unwrap();
        assert_eq!(list.scalars("").unwrap(), ["x", "10", "-1", "1.5", "true"]);
        assert!(list.texts("").is_err());
        assert_eq!(Node::Text("x".into()).texts("").unwrap(), ["x"]);
    }

    #[test]
    fn a_name_that_comes_twice_is_refused_where_it_stands() {
        let error = Node::parse("{\"a\": 1,\n \"a\": 2}").unwrap_err();
        let PolicyError::NotJson { line, reason, .. } = &error else { panic!("{error}") };
        assert_eq!((*line, reason.as_str()), (2, "a comes twice in one object"));
    }

    #[test]
    fn what_is_not_json_is_refused_and_nesting_is_bounded() {
        for text in ["", "{", "{} x", "{\"a\": null}", "{'a': 1}", &"[".repeat(1000)] {
            assert!(matches!(Node::parse(text), Err(PolicyError::NotJson { .. })), "{text}");
        }
    }

    #[test]
    fn an_empty_list_names_nothing_and_is_refused() {
        let error = Node::List(vec![]).items("Statement[0].Action").unwrap_err();
        assert_eq!(error.to_string(), "Statement[0].Action: the list is empty; name one or more");
    }
}
