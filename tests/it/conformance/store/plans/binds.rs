//! Bound values, read back from the debug form of a query: diesel tells no other.

use std::iter::Peekable;
use std::str::Chars;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

/// A bound value.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    /// Also ids.
    Bytes(Vec<u8>),
    /// Bytes, too, if the parameter's type says so.
    List(Vec<Self>),
}

/// The SQL and its bound values, from `SELECT … -- binds: [1, "a"]`.
pub fn split(query: &str) -> (String, Vec<Bind>) {
    let Some((sql, binds)) = query.split_once(" -- binds: ") else { return (query.to_owned(), Vec::new()) };
    match (Reader { rest: binds.chars().peekable(), all: binds }).value() {
        Bind::List(binds) => (sql.to_owned(), binds),
        other => panic!("{other:?} in {query}"),
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    all: &'a str,
}

impl Reader<'_> {
    fn value(&mut self) -> Bind {
        match self.rest.peek() {
            Some('[') => Bind::List(self.list()),
            Some('"') => Bind::Text(self.text()),
            Some('-' | '0'..='9') => {
                let digits = self.word();
                Bind::Int(digits.parse().unwrap_or_else(|_| panic!("{digits} in {}", self.all)))
            }
            _ => self.named(),
        }
    }

    /// `None`, `Some(…)`, `Timestamp(…)`, or an id.
    fn named(&mut self) -> Bind {
        let name = self.word();
        if self.rest.peek() == Some(&'(') {
            self.rest.next();
            let inner = self.value();
            assert_eq!(self.rest.next(), Some(')'), "{}", self.all);
            return match (name.as_str(), inner) {
                ("Binary", Bind::List(bytes)) => Bind::Bytes(bytes_of(&bytes)),
                (_, inner) => inner,
            };
        }
        match name.as_str() {
            "None" | "Null" => Bind::Null,
            "true" | "false" => Bind::Bool(name == "true"),
            id => {
                let (_, body) = id.split_once('_').unwrap_or_else(|| panic!("{id:?} in {}", self.all));
                Bind::Bytes(BASE64URL_NOPAD.decode(body.as_bytes()).unwrap())
            }
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-') {
            word.push(c);
        }
        word
    }

    fn list(&mut self) -> Vec<Bind> {
        self.rest.next();
        let mut found = Vec::new();
        while self.rest.peek() != Some(&']') {
            found.push(self.value());
            while self.rest.next_if(|c| *c == ',' || *c == ' ').is_some() {}
        }
        self.rest.next();
        found
    }

    fn text(&mut self) -> String {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next().unwrap() {
                '"' => return text,
                '\\' => match self.rest.next().unwrap() {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
    }
}

fn bytes_of(list: &[Bind]) -> Vec<u8> {
    let byte = |bind: &Bind| match bind {
        Bind::Int(byte) => u8::try_from(*byte).unwrap(),
        other => panic!("{other:?} is no byte"),
    };
    list.iter().map(byte).collect()
}

impl Bind {
    /// As a literal of PostgreSQL for a parameter of this type, such as `int8` or `_uuid`.
    pub fn literal(&self, type_name: &str) -> String {
        match self {
            Self::Null => format!("NULL::{type_name}"),
            _ => format!("'{}'::{type_name}", self.text_form(type_name).replace('\'', "''")),
        }
    }

    fn text_form(&self, type_name: &str) -> String {
        match (self, type_name.strip_prefix('_')) {
            (Self::List(list), Some(of)) => {
                let element = |bind: &Self| match bind {
                    Self::Null => "NULL".to_owned(),
                    bind => format!("\"{}\"", bind.text_form(of).replace('\\', "\\\\").replace('"', "\\\"")),
                };
                format!("{{{}}}", list.iter().map(element).collect::<Vec<_>>().join(","))
            }
            (Self::List(list), None) => format!("\\x{}", HEXLOWER.encode(&bytes_of(list))),
            (Self::Bytes(bytes), _) if type_name == "uuid" => HEXLOWER.encode(bytes),
            (Self::Bytes(bytes), _) => format!("\\x{}", HEXLOWER.encode(bytes)),
            (Self::Int(number), _) => number.to_string(),
            (Self::Bool(flag), _) => flag.to_string(),
            (Self::Text(text), _) => text.clone(),
            (Self::Null, _) => "NULL".to_owned(),
        }
    }

    /// As SQLite takes it.
    pub fn value(&self) -> rusqlite::types::Value {
        match self {
            Self::Null => rusqlite::types::Value::Null,
            Self::Int(number) => (*number).into(),
            Self::Bool(flag) => i64::from(*flag).into(),
            Self::Text(text) => text.clone().into(),
            Self::Bytes(bytes) => bytes.clone().into(),
            Self::List(list) => bytes_of(list).into(),
        }
    }
}

#[test]
fn debug_forms_are_read_back() {
    let (sql, binds) =
        split("SELECT 1 -- binds: [\"a \\\"b\\\"\", Some(Timestamp(-5)), None, [1, 2], Binary([7]), true]");
    assert_eq!(sql, "SELECT 1");
    let list = Bind::List(vec![Bind::Int(1), Bind::Int(2)]);
    let text = Bind::Text("a \"b\"".into());
    assert_eq!(binds, [text, Bind::Int(-5), Bind::Null, list.clone(), Bind::Bytes(vec![7]), Bind::Bool(true)]);
    assert_eq!(
        (list.literal("bytea"), list.literal("_int8")),
        ("'\\x0102'::bytea".into(), "'{\"1\",\"2\"}'::_int8".into())
    );
    let id = doorbuster::kernel::SaleId::from_bytes([7; 16]);
    assert_eq!(split(&format!("x -- binds: [{id:?}]")).1, [Bind::Bytes(vec![7; 16])]);
}
