//! stub
use super::Node;
use super::parser::Parser;
use crate::Result;
/// stub
#[derive(Clone, Debug)]
pub enum Utility {}
impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Result<Node> {
        if self.at_sql_statement() {
            return Ok(Node::Sql(Box::new(self.sql_statement()?)));
        }
        self.fail()
    }
}
