//! A sealed-bid auction: who wins, at what price, and nothing else.
//!
//! Input 0: `{second_price: bool, reserve: u64}`, the auctioneer's terms; each further input is a
//! bid, `{bidder: String, amount: u64}`. The result is `Option<{winner: String, price: u64}>`. The
//! highest bid wins; of equal ones, that which comes first in the policy. It pays its own amount or,
//! with `second_price` (Vickrey), the next highest amount, and never less than the reserve.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::String;
use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

record! { struct Terms { second_price: bool, reserve: u64 } }
record! { struct Bid { bidder: String, amount: u64 } }
record! { struct Sale { winner: String, price: u64 } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() < 2 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let terms: Terms = input(0)?;
    let mut best: Option<Bid> = None;
    let mut next_amount = terms.reserve;
    for index in 1..input_count() {
        let bid: Bid = input(index)?;
        if bid.amount < terms.reserve {
            continue;
        }
        match &best {
            Some(leading) if bid.amount <= leading.amount => {
                next_amount = next_amount.max(bid.amount);
            }
            _ => {
                if let Some(beaten) = best.replace(bid) {
                    next_amount = next_amount.max(beaten.amount);
                }
            }
        }
    }
    write_result(&best.map(|bid| Sale {
        price: if terms.second_price { next_amount } else { bid.amount },
        winner: bid.bidder,
    }))
}
