//! Whether two JSON texts say the same thing, told token by token, without building values.

/// Whether both texts, each valid JSON, have the same tokens.
pub(super) fn same(mut left: &str, mut right: &str) -> bool {
    loop {
        match (token(&mut left), token(&mut right)) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || same_string(a, b) => {}
            _ => return false,
        }
    }
}

/// Takes the next token off `text`: a whole string, one punctuation mark, or a run of anything else.
///
/// `text` is valid JSON, so every string ends and every other token is ASCII.
fn token<'a>(text: &mut &'a str) -> Option<&'a str> {
    let rest = text.trim_start_matches([' ', '\t', '\n', '\r']);
    let bytes = rest.as_bytes();
    let length = match bytes.first()? {
        b'"' => string_length(bytes),
        b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
        _ => bytes.iter().position(|byte| b"{}[],: \t\n\r".contains(byte)).unwrap_or(bytes.len()),
    };
    let (token, after) = rest.split_at(length);
    *text = after;
    Some(token)
}

/// The length of the string `bytes` begins with, both quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Whether two string tokens that are spelled differently mean the same text.
fn same_string(a: &str, b: &str) -> bool {
    let escaped = a.starts_with('"') && b.starts_with('"') && (a.contains('\\') || b.contains('\\'));
    let plain = |token| serde_json::from_str::<String>(token).ok();
    escaped && plain(a).is_some_and(|text| Some(text) == plain(b))
}
