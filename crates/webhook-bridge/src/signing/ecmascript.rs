//! JSON as `JSON.stringify(JSON.parse(text))` writes it, for receivers that sign again what they parsed.

use eventbus::json::{Json, JsonMap};

use super::unwritable;
use crate::error::Result;

/// Writes a value: no white space, numbers as ECMAScript's, keys that are array indices first and in their order.
pub(super) fn write(json: &Json, out: &mut String) -> Result<()> {
    match json.text().bytes().next() {
        Some(b'{') => object(&json.decode()?, out),
        Some(b'[') => array(&json.decode::<Vec<_>>()?, out),
        Some(b'"') => string(&json.decode::<String>()?, out),
        Some(b'-' | b'0'..=b'9') => number(json.decode()?, out),
        _ => {
            out.push_str(json.text());
            Ok(())
        }
    }
}

/// Writes an object, as [`write`].
pub(super) fn object(map: &JsonMap, out: &mut String) -> Result<()> {
    let mut fields: Vec<_> = map.iter().collect();
    // Stable, so that all others keep the order they came in.
    fields.sort_by_key(|(name, _)| index(name).unwrap_or(u32::MAX));
    out.push('{');
    for (at, (name, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(name, out)?;
        out.push(':');
        write(value, out)?;
    }
    out.push('}');
    Ok(())
}

fn array(items: &[Json], out: &mut String) -> Result<()> {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out)?;
    }
    out.push(']');
    Ok(())
}

fn string(text: &str, out: &mut String) -> Result<()> {
    out.push_str(&serde_json::to_string(text).map_err(unwritable)?);
    Ok(())
}

fn number(number: f64, out: &mut String) -> Result<()> {
    out.push_str(&serde_json_canonicalizer::to_string(&number).map_err(unwritable)?);
    Ok(())
}

/// The array index that a key is, if it is written as one.
fn index(name: &str) -> Option<u32> {
    let plain = name == "0" || (!name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit()));
    name.parse().ok().filter(|index| plain && *index < u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Node 20 writes for each.
    #[test]
    fn a_text_is_written_as_node_writes_it() {
        for (text, expected) in [
            (r#" { "b" : 1.0 , "a" : [ ] } "#, r#"{"b":1,"a":[]}"#),
            (
                r#"{"b":0,"10":1,"9":2,"01":3,"4294967295":4,"4294967294":5,"-1":6,"":7}"#,
                r#"{"9":2,"10":1,"4294967294":5,"b":0,"01":3,"4294967295":4,"-1":6,"":7}"#,
            ),
            (
                r#"[-0.0,1E+3,1e21,12345678901234567890,0.1e-6,5e-324]"#,
                "[0,1000,1e+21,12345678901234567000,1e-7,5e-324]",
            ),
            (
                r#""\u00fc\ud83d\ude00\/\"\\\n\u0007\u007f\u2028</""#,
                "\"ü😀/\\\"\\\\\\n\\u0007\u{7f}\u{2028}</\"",
            ),
            (r#"[true,false,null,{"":{}}]"#, r#"[true,false,null,{"":{}}]"#),
        ] {
            let mut out = String::new();
            write(&serde_json::from_str(text).unwrap(), &mut out).unwrap();
            assert_eq!(out, expected);
        }
    }
}
