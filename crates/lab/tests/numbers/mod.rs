//! Means with their standard errors.

/// A mean of independent samples and its standard error.
pub struct Estimate {
    pub mean: f64,
    pub error: f64,
}

impl Estimate {
    pub fn of(samples: &[f64]) -> Estimate {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let variance = samples.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Estimate { mean, error: (variance / n).sqrt() }
    }

    /// The known value must lie within 4 standard errors.
    #[track_caller]
    pub fn holds(&self, wanted: f64, what: &str) {
        let Estimate { mean, error } = self;
        assert!(
            (mean - wanted).abs() <= 4.0 * error,
            "{what}: {mean} ± {error} where {wanted} is due"
        );
    }
}

#[track_caller]
pub fn close(found: f64, wanted: f64, tolerance: f64, what: &str) {
    assert!((found - wanted).abs() <= tolerance, "{what}: {found} where {wanted} is due");
}
