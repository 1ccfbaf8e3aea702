use std::io::Read;
use sql::bind::{BindContext, bind};
use sql::parse::{self, Node};
fn main() {
    std::thread::Builder::new().stack_size(64<<20).spawn(run).unwrap().join().unwrap();
}
fn run() {
    let mut s = String::new();
    std::io::stdin().read_to_string(&mut s).unwrap();
    let catalog = sql::catalog::Catalog::built_in();
    let format = sql::types::FormatSettings {
        time_zone: jiff::tz::TimeZone::UTC, date_style: sql::types::DateStyle::Iso, date_order: sql::types::DateOrder::Mdy,
        interval_style: sql::types::IntervalStyle::Postgres, extra_float_digits: 1, bytea_escape: false, transaction_time: 0 };
    let path = [sql::Oid(11), sql::Oid(2200)];
    let verbose = std::env::args().nth(1).is_some();
    for text in s.split("\n;;\n") {
        let text = text.trim();
        if text.is_empty() { continue; }
        let result = std::panic::catch_unwind(|| {
        match parse::parse(text) {
            Err(e) => format!("PARSE {} {} @{:?}", e.code(), e.message(), e.0.position),
            Ok(list) => {
                let mut out = String::new();
                for st in list {
                    match &st.node {
                        Node::Sql(t) => {
                            let cx = BindContext { catalog: &catalog, search_path: &path, format: &format, text: &st.text, parameters: &[] };
                            match bind(t, &cx) {
                                Ok(b) => {
                                    if verbose { out += &format!("{:#?}", b.statement); }
                                    let cols = match &*b.statement { sql::bound::Statement::Query(q) => q.columns.clone(), sql::bound::Statement::Modify(m) => m.columns.clone() };
                                    out += "OK ";
                                    for c in cols { out += &format!("[{}:{}]", c.name, catalog.type_(c.ty.oid).map(|t| t.typname.clone()).unwrap_or_default()); }
                                    for p in &b.parameters { out += &format!(" ${}", p); }
                                }
                                Err(e) => { out += &format!("ERROR {} {} @{:?} hint={:?} detail={:?}", e.code(), e.message(), e.0.position, e.0.hint, e.0.detail); }
                            }
                        }
                        Node::Utility(_) => out += "UTILITY",
                    }
                }
                out
            }
        }});
        println!("{}", match result { Ok(r) => r.replace('\n', "\\n"), Err(_) => "PANIC".into() });
    }
}
