//! YAML into a tree of scalars, lists and maps, with what ASDF's tags say about them.
//!
//! The parser gives a flat series of events, so nothing here recurses; depth and number of nodes
//! are bounded. A node that is used again (`*anchor`) is shared, not copied.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::AsdfProblem;

/// How deep a tree may nest. Real ones reach ten.
const MAX_DEPTH: usize = 64;
/// How many nodes a tree may have.
const MAX_NODES: usize = 1 << 20;

/// A node.
#[derive(Debug, Clone)]
pub(super) enum YamlNode {
    Scalar(Scalar),
    List(Vec<Rc<YamlNode>>),
    Map(Map),
    /// An object that has no text, by the name of its Python type.
    Object(&'static str),
}

/// Keys and values in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    /// A key that is no text is `None`.
    pub(super) pairs: Vec<(Option<String>, Rc<YamlNode>)>,
    /// The name of its Python type, if it is not a plain dictionary.
    pub(super) python: Option<&'static str>,
}

impl Map {
    pub(super) fn get(&self, wanted: &str) -> Option<&Rc<YamlNode>> {
        let mut found = self.pairs.iter();
        let pair = found.find(|(key, _)| key.as_deref() == Some(wanted))?;
        Some(&pair.1)
    }
}

/// A scalar, and what is known about its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) kind: YamlKind,
}

/// What a scalar's tag or quotes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum YamlKind {
    /// Its form decides.
    Plain,
    /// A text, whatever it looks like.
    Text,
    /// A point in time.
    Time,
    /// A complex number.
    Complex,
}

/// An open collection.
struct Open {
    node: YamlNode,
    anchor: usize,
    tag: String,
    /// The key that waits for its value.
    key: PendingKey,
}

/// The state of a map: before a key or before a value.
enum PendingKey {
    Wanted,
    Text(String),
    Other,
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Rc<YamlNode>, AsdfProblem> {
    let mut builder = TreeBuilder::default();
    for (nodes, event) in Parser::new_from_str(text).enumerate() {
        let (event, _) = event.map_err(|error| AsdfProblem::Yaml(error.to_string()))?;
        if nodes > MAX_NODES {
            return Err(AsdfProblem::TooLarge("a million nodes"));
        }
        if let Some(root) = builder.event(event)? {
            return Ok(root);
        }
    }
    Ok(Rc::new(YamlNode::Map(Map::default())))
}

#[derive(Default)]
struct TreeBuilder {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<YamlNode>>,
}

impl TreeBuilder {
    /// Takes the next event; the root, once it is complete.
    fn event(&mut self, event: Event<'_>) -> Result<Option<Rc<YamlNode>>, AsdfProblem> {
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = kind(style, tag.as_deref());
                let text = text.into_owned();
                (Rc::new(YamlNode::Scalar(Scalar { text, kind })), anchor)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let missing = || AsdfProblem::Yaml("an alias of something still open".into());
                (known.ok_or_else(missing)?, 0)
            }
            Event::SequenceStart(_, anchor, tag) => {
                return self.begin(YamlNode::List(Vec::new()), anchor, tag.as_deref());
            }
            Event::MappingStart(_, anchor, tag) => {
                return self.begin(YamlNode::Map(Map::default()), anchor, tag.as_deref());
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(closed) => (Rc::new(finish(closed.node, &closed.tag)), closed.anchor),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            Some(parent) => {
                parent.add(node);
                Ok(None)
            }
            None => Ok(Some(node)),
        }
    }

    fn begin(
        &mut self,
        node: YamlNode,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<Option<Rc<YamlNode>>, AsdfProblem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(AsdfProblem::TooLarge("64 levels"));
        }
        self.open.push(Open {
            node,
            anchor,
            tag: tag.map(name).unwrap_or_default(),
            key: PendingKey::Wanted,
        });
        Ok(None)
    }
}

impl Open {
    fn add(&mut self, node: Rc<YamlNode>) {
        match &mut self.node {
            YamlNode::List(items) => items.push(node),
            YamlNode::Map(map) => match std::mem::replace(&mut self.key, PendingKey::Wanted) {
                PendingKey::Text(key) => map.pairs.push((Some(key), node)),
                PendingKey::Other => map.pairs.push((None, node)),
                PendingKey::Wanted => {
                    self.key = match &*node {
                        YamlNode::Scalar(scalar) if scalar.is_text() => {
                            PendingKey::Text(scalar.text.clone())
                        }
                        _ => PendingKey::Other,
                    };
                }
            },
            YamlNode::Scalar(_) | YamlNode::Object(_) => {}
        }
    }
}

/// A complete collection as its tag says Python has it.
fn finish(node: YamlNode, tag: &str) -> YamlNode {
    let called = |name: &str| tag.contains(&format!("/{name}-"));
    let YamlNode::Map(mut map) = node else {
        return node;
    };
    if called("core/ndarray") {
        return YamlNode::Object("NDArrayType");
    }
    if called("time/time") {
        return match map.get("value").map(|value| &**value) {
            Some(YamlNode::Scalar(scalar)) => YamlNode::Scalar(Scalar {
                text: scalar.text.clone(),
                kind: YamlKind::Time,
            }),
            _ => YamlNode::Object("Time"),
        };
    }
    map.python = [
        ("core/history_entry", "HistoryEntry"),
        ("core/extension_metadata", "ExtensionMetadata"),
        ("core/software", "Software"),
    ]
    .into_iter()
    .find_map(|(name, python)| called(name).then_some(python));
    YamlNode::Map(map)
}

/// The whole tag: `tag:stsci.edu:asdf/core/ndarray-1.1.0`.
fn name(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn kind(style: ScalarStyle, tag: Option<&Tag>) -> YamlKind {
    let name = tag.map(name).unwrap_or_default();
    if name.contains("time/time-") {
        YamlKind::Time
    } else if name.contains("core/complex-") {
        YamlKind::Complex
    } else if name == "!" || name.ends_with(":str") || style != ScalarStyle::Plain {
        YamlKind::Text
    } else {
        YamlKind::Plain
    }
}
