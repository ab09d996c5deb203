//! Columns of the lab as Arrow columns, without copying what need not be copied.
//!
//! A table crosses as an object with `__arrow_c_stream__` (the Arrow PyCapsule interface), which
//! polars, pyarrow and others accept. Done by hand: a ready binding crate would triple the build.

use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{Field, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use surgetank_lab::trace::{Column, Table};

/// A table of the trace, for any reader of Arrow.
#[pyclass(frozen)]
pub struct ArrowTable(RecordBatch);

#[pymethods]
impl ArrowTable {
    /// The table as a stream of one batch. A schema that is asked for is not followed.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let batches = RecordBatchIterator::new([Ok(self.0.clone())], self.0.schema());
        let stream = FFI_ArrowArrayStream::new(Box::new(batches));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }
}

/// One table as an Arrow table of one batch.
pub fn table(table: Table) -> PyResult<ArrowTable> {
    let columns: Vec<(&str, ArrayRef, bool)> =
        table.columns.into_iter().map(|(name, column)| column_of(name, column)).collect();
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array, nullable)| Field::new(*name, array.data_type().clone(), *nullable))
        .collect();
    let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
    batch.map(ArrowTable).map_err(|e| PyValueError::new_err(e.to_string()))
}

fn column_of(name: &str, column: Column) -> (&str, ArrayRef, bool) {
    let nullable = column.nullable();
    (name, array(column), nullable)
}

fn array(column: Column) -> ArrayRef {
    match column {
        Column::U8(values) => Arc::new(UInt8Array::from(values)),
        Column::U32(values) => Arc::new(UInt32Array::from(values)),
        Column::U64(values) => Arc::new(UInt64Array::from(values)),
        Column::I64(values) => Arc::new(Int64Array::from(values)),
        Column::F64(values) => Arc::new(Float64Array::from(values)),
        Column::Text(values) => Arc::new(StringArray::from(values)),
        Column::OptionU8(values) => {
            let nulls = NullBuffer::from_iter(values.iter().map(|&v| v != u8::MAX));
            let values = values.iter().map(|&v| if v == u8::MAX { 0 } else { v }).collect();
            Arc::new(UInt8Array::new(values, Some(nulls)))
        }
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
