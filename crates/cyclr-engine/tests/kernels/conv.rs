use cyclr_engine::kernels::{Conv2d, Conv2dSpec, GeometryError, LinearBackward, LinearForward};

use crate::{Numbers, assert_close, at_all_levels};

/// A sum and the sum of its terms' magnitudes.
#[derive(Clone)]
struct Sums {
    value: Vec<f64>,
    magnitude: Vec<f64>,
}

impl Sums {
    fn new(len: usize) -> Self {
        Self {
            value: vec![0.0; len],
            magnitude: vec![0.0; len],
        }
    }

    fn add(&mut self, i: usize, term: f64) {
        self.value[i] += term;
        self.magnitude[i] += term.abs();
    }
}

/// Calls with the places (in input, weights, output) of every product of a convolution.
fn each_product(conv: &Conv2d, batch: usize, mut product: impl FnMut(usize, usize, usize)) {
    let s = conv.spec();
    let (h, w) = (conv.out_h(), conv.out_w());
    for n in 0..batch {
        for (oy, ox) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            for (ky, kx) in (0..s.kernel.0).flat_map(|y| (0..s.kernel.1).map(move |x| (y, x))) {
                let iy = (oy * s.stride.0 + ky).wrapping_sub(s.pad.0);
                let ix = (ox * s.stride.1 + kx).wrapping_sub(s.pad.1);
                if iy >= s.in_h || ix >= s.in_w {
                    continue;
                }
                for (i, o) in (0..s.in_c).flat_map(|i| (0..s.out_c).map(move |o| (i, o))) {
                    product(
                        ((n * s.in_h + iy) * s.in_w + ix) * s.in_c + i,
                        ((ky * s.kernel.1 + kx) * s.in_c + i) * s.out_c + o,
                        ((n * h + oy) * w + ox) * s.out_c + o,
                    );
                }
            }
        }
    }
}

fn check(spec: Conv2dSpec, batch: usize, relu: bool, tolerance: f64) {
    let conv = Conv2d::new(spec).expect("a geometry that exists");
    let mut numbers = Numbers::new(spec.out_c as u64 + 100 * spec.in_h as u64);
    let x = numbers.values(batch * conv.in_len());
    let w = numbers.values(conv.weights_len());
    let b = numbers.values(spec.out_c);
    let dy = numbers.values(batch * conv.out_len());
    let before = numbers.values(conv.weights_len() + spec.out_c);

    let mut y = Sums::new(dy.len());
    for i in 0..dy.len() {
        y.add(i, f64::from(b[i % spec.out_c]));
    }
    each_product(&conv, batch, |i, j, k| {
        y.add(k, f64::from(x[i]) * f64::from(w[j]));
    });

    at_all_levels(
        |cpu| {
            let mut y = vec![f32::NAN; dy.len()];
            conv.forward(
                cpu,
                LinearForward {
                    x: &x,
                    w: &w,
                    bias: Some(&b),
                    relu,
                },
                &mut y,
            );
            let mut dx = vec![f32::NAN; x.len()];
            let (mut dw, mut db) = (before[..w.len()].to_vec(), before[w.len()..].to_vec());
            let relu_y = relu.then_some(&y[..]);
            let back = LinearBackward {
                x: &x,
                w: &w,
                dy: &dy,
                relu_y,
            };
            conv.backward(cpu, back, Some(&mut dx), &mut dw, Some(&mut db));
            let mut alone = before[..w.len()].to_vec();
            conv.backward(cpu, back, None, &mut alone, None);
            assert_eq!(
                alone, dw,
                "the weights' gradient is the same without the input's"
            );
            vec![y, dx, dw, db]
        },
        |level, got| {
            let name = |what: &str| format!("{level} {spec:?} batch {batch} relu {relu}: {what}");
            let mut expected = y.value.clone();
            if relu {
                for y in &mut expected {
                    *y = y.max(0.0);
                }
            }
            assert_close(&name("y"), &got[0], &expected, &y.magnitude, tolerance);
            let mut dx = Sums::new(x.len());
            let mut dw = Sums::new(w.len() + spec.out_c);
            let passed = |k: usize| {
                if relu && got[0][k] <= 0.0 {
                    0.0
                } else {
                    f64::from(dy[k])
                }
            };
            for (i, before) in before.iter().enumerate() {
                dw.add(i, f64::from(*before));
            }
            for k in 0..dy.len() {
                dw.add(w.len() + k % spec.out_c, passed(k));
            }
            each_product(&conv, batch, |i, j, k| {
                dx.add(i, f64::from(w[j]) * passed(k));
                dw.add(j, f64::from(x[i]) * passed(k));
            });
            assert_close(&name("dx"), &got[1], &dx.value, &dx.magnitude, tolerance);
            let weights = ..w.len();
            assert_close(
                &name("dw"),
                &got[2],
                &dw.value[weights],
                &dw.magnitude[weights],
                tolerance,
            );
            let bias = w.len()..;
            assert_close(
                &name("db"),
                &got[3],
                &dw.value[bias.clone()],
                &dw.magnitude[bias],
                tolerance,
            );
        },
    );
}

/// What single precision may lose on a sum, as a fraction of its terms' magnitudes.
const TOLERANCE: f64 = 2e-6;

#[test]
fn odd_shapes_equal_the_plain_loop() {
    let mut n = Numbers::new(1);
    for case in 0..120 {
        let kernel = (1 + n.below(5), 1 + n.below(5));
        let pad = (n.below(4), n.below(4));
        let spec = Conv2dSpec {
            in_h: kernel.0 + n.below(7),
            in_w: kernel.1 + n.below(9),
            in_c: n.pick(&[1, 2, 3, 5, 8, 10, 16, 20]),
            out_c: n.pick(&[1, 3, 5, 8, 10, 16, 20, 24, 50]),
            kernel,
            stride: (1 + n.below(3), 1 + n.below(3)),
            pad,
        };
        check(spec, n.pick(&[1, 2, 5, 23]), case % 2 == 0, TOLERANCE);
    }
}

#[test]
fn wide_layers_equal_the_plain_loop() {
    for (in_c, out_c) in [(32, 64), (64, 67), (67, 32), (50, 20), (64, 64), (16, 16)] {
        for (kernel, stride) in [(3, 1), (5, 1), (3, 2), (5, 2), (1, 2)] {
            let spec = Conv2dSpec {
                in_h: 7,
                in_w: 9,
                in_c,
                out_c,
                kernel: (kernel, kernel),
                stride: (stride, stride),
                pad: (kernel / 2, kernel / 2),
            };
            check(spec, 3, in_c > out_c, TOLERANCE);
        }
    }
}

#[test]
fn batches_of_wide_layers_equal_the_plain_loop() {
    for (size, kernel) in [(8, 3), (5, 5), (4, 3)] {
        let spec = Conv2dSpec {
            in_h: size,
            in_w: size + 1,
            in_c: 32,
            out_c: 40,
            kernel: (kernel, kernel),
            stride: (1, 1),
            pad: (1, kernel / 2),
        };
        check(spec, 41, true, TOLERANCE);
    }
}

#[test]
fn impossible_geometries_are_refused() {
    let good = Conv2dSpec {
        in_h: 4,
        in_w: 4,
        in_c: 3,
        out_c: 8,
        kernel: (3, 3),
        stride: (1, 1),
        pad: (0, 0),
    };
    assert!(Conv2d::new(good).is_ok());
    let zero = Conv2d::new(Conv2dSpec {
        stride: (1, 0),
        ..good
    });
    assert!(matches!(zero, Err(GeometryError::Zero { .. })));
    let window = Conv2d::new(Conv2dSpec {
        kernel: (7, 3),
        pad: (1, 0),
        ..good
    });
    assert!(matches!(
        window,
        Err(GeometryError::Window {
            window: 7,
            image: 4,
            pad: 1
        })
    ));
    let large = Conv2d::new(Conv2dSpec {
        pad: (usize::MAX / 2, 0),
        ..good
    });
    assert!(matches!(large, Err(GeometryError::TooLarge { .. })));
}
