//! Columns of the lab as Arrow columns, without copying what need not be copied.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt8Array, UInt32Array,
    UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{Field, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3_arrow::PyTable;
use surgetank_lab::trace::{Column, Table};

/// One table as an Arrow table of one batch.
pub fn table(table: Table) -> PyResult<PyTable> {
    let columns: Vec<(&str, ArrayRef, bool)> =
        table.columns.into_iter().map(|(name, column)| column_of(name, column)).collect();
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array, optional)| Field::new(*name, array.data_type().clone(), *optional))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
    let error = |e: arrow_schema::ArrowError| PyValueError::new_err(e.to_string());
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(error)?;
    PyTable::try_new(vec![batch], schema)
}

fn column_of(name: &str, column: Column) -> (&str, ArrayRef, bool) {
    let optional = optional(&column);
    (name, array(column), optional)
}

fn optional(column: &Column) -> bool {
    matches!(column, Column::OptionU32(_) | Column::OptionU64(_) | Column::OptionF64(_))
}

fn array(column: Column) -> ArrayRef {
    match column {
        Column::U8(values) => Arc::new(UInt8Array::from(values)),
        Column::U32(values) => Arc::new(UInt32Array::from(values)),
        Column::U64(values) => Arc::new(UInt64Array::from(values)),
        Column::I64(values) => Arc::new(Int64Array::from(values)),
        Column::F64(values) => Arc::new(Float64Array::from(values)),
        Column::Text(values) => Arc::new(StringArray::from(values)),
        Column::OptionU32(values) => {
            let nulls = NullBuffer::from_iter(values.iter().map(|&v| v != u32::MAX));
            let values = values.iter().map(|&v| if v == u32::MAX { 0 } else { v }).collect();
            Arc::new(UInt32Array::new(values, Some(nulls)))
        }
        Column::OptionU64(values) => {
            let nulls = NullBuffer::from_iter(values.iter().map(|&v| v != u64::MAX));
            let values = values.iter().map(|&v| if v == u64::MAX { 0 } else { v }).collect();
            Arc::new(UInt64Array::new(values, Some(nulls)))
        }
        Column::OptionF64(values) => {
            let nulls = NullBuffer::from_iter(values.iter().map(|v| !v.is_nan()));
            let values = values.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect();
            Arc::new(Float64Array::new(values, Some(nulls)))
        }
    }
}
