//! A module for fleet-tui's booster: the comments of a file that hold a word, such as TODO, with their lines.
//!
//! It needs nothing but the standard library. With rustup:
//!
//!     rustup target add wasm32-unknown-unknown
//!     rustc --edition 2021 -O --crate-type cdylib --target wasm32-unknown-unknown -C panic=abort -o todo.wasm todo.rs
//!
//! What the host asks for is written down in docs/modules.md.
#![deny(warnings)]

use std::cell::RefCell;

const DESCRIPTION: &str = r#"{"abi": 1, "name": "todo", "version": "1", "encoding": "json", "operations": [
  {"code": 1, "name": "user.find_todos", "edits": false, "languages": ["python", "javascript", "typescript", "tsx"], "arguments": ["word"]}
]}"#;
const DONE: u32 = 0;
const BAD_REQUEST: u32 = 3;
const BY_TOKENS: u32 = 1;
const PYTHON: u32 = 0;

thread_local! {
    static REQUEST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Takes numbers and bytes off a request; `None` where it ends too early.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = (self.0.get(..length)?, self.0.get(length..)?);
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Bytes with their length before them and zeros behind them up to a multiple of four.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let taken = self.take(length)?;
        self.take(length.wrapping_neg() % 4)?;
        Some(taken)
    }
}

fn answer_batch(code: u32, request: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(request);
    let (_tiers, arguments, files) = (reader.number()?, reader.number()?, reader.number()?);
    let mut word: &[u8] = b"";
    for _ in 0..arguments {
        word = reader.bytes()?;
    }
    let mut answer = files.to_le_bytes().to_vec();
    for _ in 0..files {
        let (language, text) = (reader.number()?, reader.bytes()?);
        let (status, payload) = answer_file(code, language, word, text);
        for number in [status, BY_TOKENS, payload.len() as u32] {
            answer.extend(number.to_le_bytes());
        }
        answer.extend(payload.as_bytes());
        answer.resize(answer.len().next_multiple_of(4), 0);
    }
    Some(answer)
}

fn answer_file(code: u32, language: u32, word: &[u8], text: &[u8]) -> (u32, String) {
    if code != 1 || word.is_empty() {
        return (BAD_REQUEST, r#"{"reason": "no such operation, or no word to look for", "line": null, "column": null}"#.into());
    }
    let comment: &[u8] = if language == PYTHON { b"#" } else { b"//" };
    let lines: Vec<String> = (1..)
        .zip(text.split(|&byte| byte == b'\n'))
        .filter(|(_, line)| find(line, comment).is_some_and(|at| find(&line[at..], word).is_some()))
        .map(|(number, _)| number.to_string())
        .collect();
    (DONE, format!(r#"{{"lines": [{}]}}"#, lines.join(", ")))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn pack(bytes: &[u8]) -> u64 {
    (bytes.as_ptr() as u64) << 32 | bytes.len() as u64
}

#[no_mangle]
pub extern "C" fn booster_abi() -> u32 {
    1
}

#[no_mangle]
pub extern "C" fn booster_describe() -> u64 {
    pack(DESCRIPTION.as_bytes())
}

#[no_mangle]
pub extern "C" fn booster_alloc(size: u32) -> u32 {
    REQUEST.with_borrow_mut(|request| {
        *request = vec![0; size as usize];
        request.as_mut_ptr() as usize as u32
    })
}

/// The host writes where `booster_alloc` said, so the request is found there; `_at` is that place.
#[no_mangle]
pub extern "C" fn booster_run(code: u32, _at: u32, _length: u32) -> u64 {
    let answer = REQUEST.with_borrow(|request| answer_batch(code, request)).unwrap_or_default();
    ANSWER.with_borrow_mut(|kept| {
        *kept = answer;
        pack(kept)
    })
}
