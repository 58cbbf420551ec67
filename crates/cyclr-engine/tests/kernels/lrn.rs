use cyclr_engine::kernels::{GeometryError, Lrn};

use crate::{Numbers, assert_close, at_all_levels, differences, wide};

fn plain(
    (h, w, c): (usize, usize, usize),
    size: usize,
    alpha: f64,
    beta: f64,
    x: &[f64],
) -> Vec<f64> {
    let reach = size / 2;
    let mut y = vec![0.0; x.len()];
    for (i, y) in y.iter_mut().enumerate() {
        let (image, row, column, channel) = (i / (h * w * c), i / (w * c) % h, i / c % w, i % c);
        let mut sum = 0.0;
        for r in row.saturating_sub(reach)..=(row + reach).min(h - 1) {
            for k in column.saturating_sub(reach)..=(column + reach).min(w - 1) {
                let x = x[((image * h + r) * w + k) * c + channel];
                sum += x * x;
            }
        }
        *y = x[i] * (1.0 + alpha * sum / (size * size) as f64).powf(-beta);
    }
    y
}

#[test]
fn equals_the_plain_loop_and_its_differences() {
    let shapes = [(4, 5, 3), (1, 1, 8), (3, 2, 10), (6, 1, 1), (8, 8, 2)];
    for (shape, (size, alpha, beta)) in shapes.into_iter().flat_map(|s| {
        [
            (3, 5e-5, 0.75),
            (3, 2.0, 0.75),
            (5, 0.7, 0.5),
            (1, 1.0, 0.75),
        ]
        .map(|c| (s, c))
    }) {
        let lrn = Lrn::new(shape, size, alpha, beta).unwrap();
        let mut n = Numbers::new(6);
        let x: Vec<f32> = n
            .values(2 * lrn.image_len())
            .iter()
            .map(|x| 3.0 * x)
            .collect();
        let dy = n.values(x.len());
        let f = |x: &[f64]| plain(shape, size, f64::from(alpha), f64::from(beta), x);
        let (y, dx) = (f(&wide(&x)), differences(&wide(&x), &dy, f));
        at_all_levels(
            |cpu| {
                let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
                lrn.forward(cpu, &x, &mut y);
                lrn.backward(cpu, &x, &dy, &mut dx);
                vec![y, dx]
            },
            |level, got| {
                let name = format!("{level} {lrn:?}");
                assert_close(&name, &got[0], &y, &vec![1.0; y.len()], 2e-6);
                assert_close(&name, &got[1], &dx, &vec![1.0; y.len()], 3e-6);
            },
        );
    }
}

#[test]
fn impossible_constants_are_refused() {
    for (size, alpha, beta) in [
        (2, 1.0, 0.75),
        (3, f32::NAN, 0.75),
        (3, -1.0, 0.75),
        (3, 1.0, 0.0),
    ] {
        assert!(matches!(
            Lrn::new((2, 2, 2), size, alpha, beta),
            Err(GeometryError::Constant { .. })
        ));
    }
}
