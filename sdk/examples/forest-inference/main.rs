//! A random forest or gradient-boosted trees, applied: the model stays its owner's, the rows theirs.
//!
//! Inputs: `{base: f64, trees: Vec<Vec<Node>>}` and `Vec<Vec<f64>>`, the rows, where Node is
//! `{feature: u32, threshold: f64, left: u32, right: u32, value: f64}`. A node whose left and right
//! are 0 is a leaf; otherwise a row goes left when its feature is below the threshold. The result is
//! `Vec<f64>`: for each row the base plus the leaves' values of all trees.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

record! { struct Node { feature: u32, threshold: f64, left: u32, right: u32, value: f64 } }
record! { struct Forest { base: f64, trees: Vec<Vec<Node>> } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() != 2 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let forest: Forest = input(0)?;
    let rows: Vec<Vec<f64>> = input(1)?;
    let mut scores = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut score = forest.base;
        for tree in &forest.trees {
            score += leaf(tree, row).ok_or_else(|| i32::from(ErrorCode::BadInput))?;
        }
        scores.push(score);
    }
    write_result(&scores)
}

/// The value of the leaf that a row comes to; None when the tree or the row is too short.
fn leaf(tree: &[Node], row: &[f64]) -> Option<f64> {
    let mut at = 0;
    loop {
        let node = tree.get(at)?;
        if node.left == 0 && node.right == 0 {
            return Some(node.value);
        }
        let below = *row.get(node.feature as usize)? < node.threshold;
        let next = if below { node.left } else { node.right } as usize;
        if next <= at {
            return None; // children come after their parent, so every walk ends
        }
        at = next;
    }
}
