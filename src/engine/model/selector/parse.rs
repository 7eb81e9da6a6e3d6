//! Reading a selector as a person types it.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::requirement::{Operator, Requirement, check_key, check_value};
use super::selector::Selector;

/// A text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a label selector: at position {position}, {reason}")]
pub struct Error {
    /// The text as given.
    pub text: String,
    /// Where reading stopped, in characters, counted from 1.
    pub position: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        "write for example app=web, tier!=cache, env in (prod,test), env notin (dev), owner, \
         !owner, joined by commas"
            .to_owned()
    }
}

impl FromStr for Selector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parser = Parser { text, at: 0 };
        parser.selector().map_err(|reason| Error {
            text: text.to_owned(),
            position: text[..parser.at].chars().count() + 1,
            reason,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A key, a value, or one of the words `in` and `notin`.
    Word(&'a str),
    /// One of `! = == != < > ( ) ,`.
    Symbol(&'a str),
    End,
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(text) | Self::Symbol(text) => write!(f, "\"{text}\""),
            Self::End => f.write_str("the end"),
        }
    }
}

/// Where in the text we are. After a failure, `at` is where the fault begins.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn selector(&mut self) -> Result<Selector, String> {
        let mut requirements = Vec::new();
        if self.peek() == Token::End {
            return Ok(Selector::default());
        }
        loop {
            requirements.push(self.requirement()?);
            match self.peek() {
                Token::End => return Ok(Selector::new(requirements)),
                Token::Symbol(",") => self.skip(),
                other => return Err(format!("expected a comma or the end, found {other}")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.take("!");
        let key = self.key()?;
        let operator = if absent { Operator::DoesNotExist } else { self.operator()? };
        Requirement::new(key, operator).map_err(|invalid| invalid.to_string())
    }

    fn key(&mut self) -> Result<&'a str, String> {
        match self.peek() {
            Token::Word(key) => {
                check_key(key).map_err(|invalid| invalid.to_string())?;
                self.skip();
                Ok(key)
            }
            other => Err(format!("expected a label key, found {other}")),
        }
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let token = self.peek();
        if matches!(token, Token::End | Token::Symbol(",")) {
            return Ok(Operator::Exists);
        }
        match token {
            Token::Symbol("=" | "==") => Ok(Operator::equals(self.operand()?)),
            Token::Symbol("!=") => Ok(Operator::not_equals(self.operand()?)),
            Token::Symbol(">") => Ok(Operator::GreaterThan(self.integer()?)),
            Token::Symbol("<") => Ok(Operator::LessThan(self.integer()?)),
            Token::Word("in") => Ok(Operator::In(self.set()?)),
            Token::Word("notin") => Ok(Operator::NotIn(self.set()?)),
            other => Err(format!("expected one of = == != in notin < >, found {other}")),
        }
    }

    /// The operator, which was looked at, and the value after it; a missing value is empty.
    fn operand(&mut self) -> Result<String, String> {
        self.skip();
        match self.peek() {
            Token::End | Token::Symbol(",") => Ok(String::new()),
            _ => self.value(),
        }
    }

    fn integer(&mut self) -> Result<i64, String> {
        self.skip();
        let Token::Word(word) = self.peek() else {
            return Err(format!("expected an integer, found {}", self.peek()));
        };
        let number = word.parse().map_err(|_not_one| format!("\"{word}\" is not an integer"))?;
        self.skip();
        Ok(number)
    }

    /// The word `in` or `notin`, which was looked at, and the values in brackets after it.
    ///
    /// As in Kubernetes, what stands between two commas may be empty, and so may the whole list.
    fn set(&mut self) -> Result<BTreeSet<String>, String> {
        self.skip();
        self.demand("(")?;
        let mut values = BTreeSet::new();
        loop {
            let value = match self.peek() {
                Token::Symbol("," | ")") => String::new(),
                _ => self.value()?,
            };
            values.insert(value);
            if self.take(")") {
                return Ok(values);
            }
            self.demand(",").map_err(|reason| reason.replace("\",\"", "\",\" or \")\""))?;
        }
    }

    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            Token::Word(value) => {
                check_value(value).map_err(|invalid| invalid.to_string())?;
                self.skip();
                Ok(value.to_owned())
            }
            other => Err(format!("expected a value, found {other}")),
        }
    }

    fn demand(&mut self, symbol: &str) -> Result<(), String> {
        let found = self.peek();
        let taken = self.take(symbol);
        if taken { Ok(()) } else { Err(format!("expected \"{symbol}\", found {found}")) }
    }

    fn take(&mut self, symbol: &str) -> bool {
        let there = self.peek() == Token::Symbol(symbol);
        if there {
            self.skip();
        }
        there
    }

    /// The token to come. Moves to its beginning, past white space.
    fn peek(&mut self) -> Token<'a> {
        let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\r', '\n']);
        self.at = self.text.len() - rest.len();
        let symbols = ["==", "!=", "!", "=", "<", ">", "(", ")", ","];
        if let Some(symbol) = symbols.into_iter().find(|symbol| rest.starts_with(symbol)) {
            return Token::Symbol(&rest[..symbol.len()]);
        }
        let ends = |c: char| " \t\r\n!=<>(),".contains(c);
        match rest.find(ends).unwrap_or(rest.len()) {
            0 => Token::End,
            end => Token::Word(&rest[..end]),
        }
    }

    fn skip(&mut self) {
        if let Token::Word(text) | Token::Symbol(text) = self.peek() {
            self.at += text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        text.parse::<Selector>().unwrap_or_else(|error| panic!("{error}")).to_string()
    }

    fn fault(text: &str) -> (usize, String) {
        let error = text.parse::<Selector>().unwrap_err();
        (error.position, error.reason)
    }

    /// The good cases of apimachinery's own test of `Parse`.
    #[test]
    fn selectors_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("", ""),
            ("x=a,y=b,z=c", "x=a,y=b,z=c"),
            ("x!=a,y==b", "x!=a,y=b"),
            ("x=", "x="),
            ("x= ", "x="),
            ("x=,z= ", "x=,z="),
            ("x= ,z= ", "x=,z="),
            ("!x", "!x"),
            ("x>1", "x>1"),
            ("x<-1,z<3", "x<-1,z<3"),
            ("x in (abc)", "x=abc"),
            ("x notin (def),y in (ghi)", "x!=def,y=ghi"),
            (" a in ( b , c ) , !d ", "a in (b,c),!d"),
            ("x in ()", "x="),
            ("x in (a,)", "x in (,a)"),
            ("in in (in,notin)", "in in (in,notin)"),
            ("notin=in", "notin=in"),
            ("in", "in"),
            ("a.b/c_d=E-1", "a.b/c_d=E-1"),
        ] {
            assert_eq!(rewritten(text), expected, "{text}");
        }
    }

    #[test]
    fn the_error_names_the_position_and_what_was_expected() {
        for (text, position, reason) in [
            ("x=a||y=b", 3, "\"a||y\" is not a label value"),
            ("x==a==b", 5, "expected a comma or the end, found \"==\""),
            ("!x=a", 3, "expected a comma or the end, found \"=\""),
            ("a b", 3, "expected one of = == != in notin < >, found \"b\""),
            ("a=b c", 5, "expected a comma or the end, found \"c\""),
            ("a=b,", 5, "expected a label key, found the end"),
            (",a", 1, "expected a label key, found \",\""),
            ("!", 2, "expected a label key, found the end"),
            ("x in", 5, "expected \"(\", found the end"),
            ("x in (a", 8, "expected \",\" or \")\", found the end"),
            ("x in (a=b)", 8, "expected \",\" or \")\", found \"=\""),
            ("x>a", 3, "\"a\" is not an integer"),
            ("x>", 3, "expected an integer, found the end"),
            ("ä=b", 1, "\"ä\" is not a label key"),
            ("äb.c/d=é", 1, "\"äb.c/d\" is not a label key"),
            ("a=é,b", 3, "\"é\" is not a label value"),
            ("x(", 2, "expected one of = == != in notin < >, found \"(\""),
        ] {
            let (at, found) = fault(text);
            assert!(at == position && found.starts_with(reason), "{text}: {at}: {found}");
        }
    }

    #[test]
    fn the_error_shows_the_text_and_the_hint_an_example() {
        let error = "a=b,".parse::<Selector>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"a=b,\" is not a label selector: at position 5, expected a label key, found the end"
        );
        assert!(error.hint().contains("env in (prod,test)"));
    }
}
