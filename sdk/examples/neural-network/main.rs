//! A small neural network, applied: the weights stay their owner's, the images theirs.
//!
//! Inputs: `Vec<{weights: Vec<Vec<f32>>, bias: Vec<f32>}>`, the layers (a row of weights for each
//! output), and `Vec<Vec<f32>>`, the images. Between layers what is negative becomes 0 (ReLU). The
//! result is `Vec<u32>`: for each image the class with the highest score, the first of equals.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

record! { struct Layer { weights: Vec<Vec<f32>>, bias: Vec<f32> } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() != 2 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let layers: Vec<Layer> = input(0)?;
    let images: Vec<Vec<f32>> = input(1)?;
    let width = images.first().map_or(0, Vec::len);
    if !fits(&layers, width) || images.iter().any(|image| image.len() != width) {
        return Err(ErrorCode::BadInput.into());
    }
    let classes: Vec<u32> = images.into_iter().map(|image| classify(&layers, image)).collect();
    write_result(&classes)
}

/// Whether every layer takes what the one before gives.
fn fits(layers: &[Layer], width: usize) -> bool {
    let mut width = width;
    for layer in layers {
        let even = layer.weights.iter().all(|row| row.len() == width);
        if !even || layer.weights.len() != layer.bias.len() || layer.bias.is_empty() {
            return false;
        }
        width = layer.bias.len();
    }
    !layers.is_empty()
}

fn classify(layers: &[Layer], image: Vec<f32>) -> u32 {
    let mut values = image;
    for (index, layer) in layers.iter().enumerate() {
        let last = index + 1 == layers.len();
        let output = |(row, bias): (&Vec<f32>, &f32)| {
            let sum = row.iter().zip(&values).fold(*bias, |sum, (w, x)| sum + w * x);
            if last || sum > 0.0 { sum } else { 0.0 }
        };
        values = layer.weights.iter().zip(&layer.bias).map(output).collect();
    }
    let mut best = 0;
    for (class, score) in values.iter().enumerate() {
        if *score > values[best] {
            best = class;
        }
    }
    best as u32
}
