//! Columns of the lab as Arrow columns, without copies where possible.
//!
//! A table crosses as an object with `__arrow_c_stream__` (the Arrow PyCapsule interface), which
//! polars, pyarrow and others accept. It is implemented here, since a binding crate would triple
//! the build time.

use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    ArrayRef, Float64Array, Int64Array, PrimitiveArray, RecordBatch, RecordBatchIterator,
    StringArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
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
    /// The table as a stream of one batch. A requested schema is ignored.
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
        Column::OptionU8(values) => optional::<UInt8Type>(values, |v| v == u8::MAX),
        Column::OptionU16(values) => optional::<UInt16Type>(values, |v| v == u16::MAX),
        Column::OptionU32(values) => optional::<UInt32Type>(values, |v| v == u32::MAX),
        Column::OptionU64(values) => optional::<UInt64Type>(values, |v| v == u64::MAX),
        Column::OptionF64(values) => optional::<Float64Type>(values, f64::is_nan),
    }
}

/// The cells, moved; null (and 0 below it) where they are absent.
fn optional<T: ArrowPrimitiveType>(
    mut cells: Vec<T::Native>,
    absent: impl Fn(T::Native) -> bool,
) -> ArrayRef {
    let there = BooleanBuffer::collect_bool(cells.len(), |cell| !absent(cells[cell]));
    let nulls = NullBuffer::new(there);
    if nulls.null_count() == 0 {
        return Arc::new(PrimitiveArray::<T>::new(cells.into(), None));
    }
    for cell in &mut cells {
        *cell = if absent(*cell) { T::Native::default() } else { *cell };
    }
    Arc::new(PrimitiveArray::<T>::new(cells.into(), Some(nulls)))
}
