use cyclr_engine::kernels::{Dense, LinearBackward, LinearForward};

use crate::{Numbers, assert_close, at_all_levels};

fn check(inputs: usize, outputs: usize, batch: usize, relu: bool) {
    let layer = Dense::new(inputs, outputs).expect("a layer that exists");
    let mut n = Numbers::new((inputs * 1000 + outputs) as u64);
    let (x, w) = (n.values(batch * inputs), n.values(inputs * outputs));
    let (b, dy) = (n.values(outputs), n.values(batch * outputs));
    let start = n.value();
    at_all_levels(
        |cpu| {
            let mut y = vec![f32::NAN; batch * outputs];
            layer.forward(
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
            let (mut dw, mut db) = (vec![start; w.len()], vec![start; outputs]);
            let relu_y = relu.then_some(&y[..]);
            let back = LinearBackward {
                x: &x,
                w: &w,
                dy: &dy,
                relu_y,
            };
            layer.backward(cpu, back, Some(&mut dx), &mut dw, Some(&mut db));
            vec![y, dx, dw, db]
        },
        |level, got| {
            let name = |what: &str| format!("{level} {inputs}x{outputs} batch {batch}: {what}");
            let at = |v: &[f32], i: usize| f64::from(v[i]);
            let passed: Vec<f64> = (0..dy.len())
                .map(|i| {
                    if relu && got[0][i] <= 0.0 {
                        0.0
                    } else {
                        at(&dy, i)
                    }
                })
                .collect();
            let compare = |what: &str, got: &[f32], terms: &dyn Fn(usize) -> Vec<f64>| {
                let sums: Vec<Vec<f64>> = (0..got.len()).map(terms).collect();
                let expected: Vec<f64> = sums.iter().map(|t| t.iter().sum()).collect();
                let magnitude: Vec<f64> = sums
                    .iter()
                    .map(|t| t.iter().map(|t| t.abs()).sum())
                    .collect();
                assert_close(&name(what), got, &expected, &magnitude, 2e-6);
            };
            let sum = |k: usize| {
                let (e, o) = (k / outputs, k % outputs);
                let mut terms = vec![at(&b, o)];
                terms.extend((0..inputs).map(|i| at(&x, e * inputs + i) * at(&w, i * outputs + o)));
                terms
            };
            let value = |k: usize| {
                if relu {
                    sum(k).iter().sum::<f64>().max(0.0)
                } else {
                    sum(k).iter().sum()
                }
            };
            let magnitude: Vec<f64> = (0..dy.len())
                .map(|k| sum(k).iter().map(|t| t.abs()).sum())
                .collect();
            let expected: Vec<f64> = (0..dy.len()).map(value).collect();
            assert_close(&name("y"), &got[0], &expected, &magnitude, 2e-6);
            compare("dx", &got[1], &|j| {
                let (e, i) = (j / inputs, j % inputs);
                (0..outputs)
                    .map(|o| passed[e * outputs + o] * at(&w, i * outputs + o))
                    .collect()
            });
            compare("dw", &got[2], &|j| {
                let (i, o) = (j / outputs, j % outputs);
                let mut terms = vec![f64::from(start)];
                terms.extend((0..batch).map(|e| passed[e * outputs + o] * at(&x, e * inputs + i)));
                terms
            });
            compare("db", &got[3], &|o| {
                let mut terms = vec![f64::from(start)];
                terms.extend((0..batch).map(|e| passed[e * outputs + o]));
                terms
            });
        },
    );
}

#[test]
fn odd_sizes_equal_the_plain_loop() {
    let mut n = Numbers::new(2);
    for case in 0..40 {
        let size = |n: &mut Numbers| n.pick(&[1, 3, 5, 10, 16, 20, 32, 50, 64, 67, 200, 300]);
        check(
            size(&mut n),
            size(&mut n),
            n.pick(&[1, 2, 7, 30, 100]),
            case % 2 == 0,
        );
    }
}
