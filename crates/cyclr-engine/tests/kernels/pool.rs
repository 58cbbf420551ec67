use cyclr_engine::kernels::{AvgPool, Divisor, GeometryError, MaxPool, PoolSpec};

use crate::{Numbers, assert_close, at_all_levels};

/// The output size, by the definition: the windows whose start lies before the image's end
/// (padding included on the near side), and which fit (floor) or at least begin before the padded
/// image's last full window ends (ceil).
fn out_size(image: usize, window: usize, stride: usize, pad: usize, ceil: bool) -> usize {
    let fits = |start: usize| start + window <= image + 2 * pad;
    (0..image + 2 * pad)
        .step_by(stride)
        .take_while(|&start| {
            let leaves_a_rest = start == 0 || start - stride + window < image + 2 * pad;
            fits(start) || (ceil && leaves_a_rest && start < image + pad)
        })
        .count()
}

/// A window: the cells inside the image, as (cell, input pixel), and how many lie inside the
/// padded image.
struct Window {
    cells: Vec<(usize, usize)>,
    padded: usize,
}

/// Every window, in the order of the outputs.
fn windows(s: &PoolSpec) -> Vec<Window> {
    let h = out_size(s.in_h, s.kernel.0, s.stride.0, s.pad.0, s.ceil);
    let w = out_size(s.in_w, s.kernel.1, s.stride.1, s.pad.1, s.ceil);
    let mut all = Vec::new();
    for (oy, ox) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        let (mut cells, mut padded) = (Vec::new(), 0);
        for (ky, kx) in (0..s.kernel.0).flat_map(|y| (0..s.kernel.1).map(move |x| (y, x))) {
            let (y, x) = (oy * s.stride.0 + ky, ox * s.stride.1 + kx);
            padded += usize::from(y < s.in_h + 2 * s.pad.0 && x < s.in_w + 2 * s.pad.1);
            let (y, x) = (y.wrapping_sub(s.pad.0), x.wrapping_sub(s.pad.1));
            if y < s.in_h && x < s.in_w {
                cells.push((ky * s.kernel.1 + kx, y * s.in_w + x));
            }
        }
        all.push(Window { cells, padded });
    }
    all
}

fn specs() -> Vec<PoolSpec> {
    let mut n = Numbers::new(3);
    let mut specs: Vec<PoolSpec> = (0..80)
        .map(|case| {
            let kernel = (1 + n.below(4), 1 + n.below(4));
            PoolSpec {
                in_h: kernel.0 + n.below(9),
                in_w: kernel.1 + n.below(9),
                channels: n.pick(&[1, 3, 5, 8, 10, 16, 20, 32]),
                kernel,
                stride: (1 + n.below(3), 1 + n.below(3)),
                pad: (n.below(kernel.0), n.below(kernel.1)),
                ceil: case % 2 == 0,
            }
        })
        .collect();
    for size in [32, 16, 8] {
        let (kernel, stride) = ((3, 3), (2, 2));
        specs.push(PoolSpec {
            in_h: size,
            in_w: size,
            channels: 32,
            kernel,
            stride,
            pad: (0, 0),
            ceil: true,
        });
    }
    specs
}

#[test]
fn max_pool_equals_the_plain_loop() {
    for spec in specs() {
        let (pool, c, batch) = (MaxPool::new(spec).unwrap(), spec.channels, 3);
        let windows = windows(&spec);
        assert_eq!(pool.out_h() * pool.out_w(), windows.len(), "{spec:?}");
        let mut n = Numbers::new(4);
        // Few different values, so that there are ties.
        let x: Vec<f32> = (0..batch * pool.in_len())
            .map(|_| n.below(7) as f32 - 3.0)
            .collect();
        let dy = n.values(batch * pool.out_len());
        let mut expected = [vec![0.0; dy.len()], vec![0.0; dy.len()], vec![0.0; x.len()]];
        for image in 0..batch {
            for (o, Window { cells, .. }) in windows.iter().enumerate() {
                for channel in 0..c {
                    let at = |pixel: usize| image * pool.in_len() + pixel * c + channel;
                    let out = image * pool.out_len() + o * c + channel;
                    let top = cells
                        .iter()
                        .map(|&(_, p)| x[at(p)])
                        .fold(f32::MIN, f32::max);
                    let winner = cells.iter().find(|&&(_, p)| x[at(p)] == top).unwrap();
                    expected[0][out] = f64::from(top);
                    expected[1][out] = winner.0 as f64;
                    expected[2][at(winner.1)] += f64::from(dy[out]);
                }
            }
        }
        at_all_levels(
            |cpu| {
                let mut y = vec![f32::NAN; dy.len()];
                let mut cells = vec![255; dy.len()];
                let mut dx = vec![f32::NAN; x.len()];
                pool.forward(cpu, &x, &mut y, &mut cells);
                pool.backward(cpu, &dy, &cells, &mut dx);
                vec![y, cells.iter().map(|&c| f32::from(c)).collect(), dx]
            },
            |level, got| {
                for (i, tolerance) in [0.0, 0.0, 1e-6].into_iter().enumerate() {
                    let ones = vec![1.0; got[i].len()];
                    assert_close(
                        &format!("{level} {spec:?} {i}"),
                        &got[i],
                        &expected[i],
                        &ones,
                        tolerance,
                    );
                }
            },
        );
    }
}

#[test]
fn average_pool_equals_the_plain_loop() {
    for spec in specs() {
        for divisor in [Divisor::Padded, Divisor::Inside] {
            let (pool, c, batch) = (AvgPool::new(spec, divisor).unwrap(), spec.channels, 2);
            let mut n = Numbers::new(5);
            let x = n.values(batch * pool.in_len());
            let dy = n.values(batch * pool.out_len());
            let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            for image in 0..batch {
                for (o, Window { cells, padded }) in windows(&spec).iter().enumerate() {
                    let area = if divisor == Divisor::Padded {
                        *padded
                    } else {
                        cells.len()
                    };
                    for (channel, &(_, pixel)) in
                        (0..c).flat_map(|c| cells.iter().map(move |p| (c, p)))
                    {
                        let i = image * pool.in_len() + pixel * c + channel;
                        let out = image * pool.out_len() + o * c + channel;
                        y[out] += f64::from(x[i]) / area as f64;
                        dx[i] += f64::from(dy[out]) / area as f64;
                    }
                }
            }
            at_all_levels(
                |cpu| {
                    let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
                    pool.forward(cpu, &x, &mut y);
                    pool.backward(cpu, &dy, &mut dx);
                    vec![y, dx]
                },
                |level, got| {
                    let name = format!("{level} {spec:?} {divisor:?}");
                    assert_close(&name, &got[0], &y, &vec![1.0; y.len()], 1e-6);
                    assert_close(&name, &got[1], &dx, &vec![1.0; dx.len()], 1e-6);
                },
            );
        }
    }
}

#[test]
fn a_nan_wins_the_maximum() {
    let spec = PoolSpec {
        in_h: 1,
        in_w: 3,
        channels: 1,
        kernel: (1, 3),
        stride: (1, 1),
        pad: (0, 0),
        ceil: false,
    };
    let pool = MaxPool::new(spec).unwrap();
    for (x, cell) in [
        ([f32::NAN, 1.0, 2.0], 0),
        ([1.0, f32::NAN, 2.0], 1),
        ([f32::NEG_INFINITY; 3], 0),
    ] {
        at_all_levels(
            |cpu| {
                let (mut y, mut argmax) = ([0.0], [7]);
                pool.forward(cpu, &x, &mut y, &mut argmax);
                vec![y.to_vec(), vec![f32::from(argmax[0])]]
            },
            |level, got| {
                let expected = x[usize::from(cell as u8)];
                assert!(
                    got[0][0].to_bits() == expected.to_bits(),
                    "{level} {x:?}: {}",
                    got[0][0]
                );
                assert_eq!(got[1][0], cell as f32, "{level} {x:?}");
            },
        );
    }
}

#[test]
fn impossible_pools_are_refused() {
    let good = PoolSpec {
        in_h: 20,
        in_w: 20,
        channels: 1,
        kernel: (2, 2),
        stride: (2, 2),
        pad: (0, 0),
        ceil: true,
    };
    assert!(MaxPool::new(good).is_ok());
    let padding = MaxPool::new(PoolSpec {
        pad: (2, 0),
        ..good
    });
    assert!(matches!(
        padding,
        Err(GeometryError::Padding { window: 2, pad: 2 })
    ));
    let cells = MaxPool::new(PoolSpec {
        kernel: (17, 17),
        ..good
    });
    assert!(matches!(
        cells,
        Err(GeometryError::WindowCells { cells: 289 })
    ));
    assert!(
        AvgPool::new(
            PoolSpec {
                kernel: (17, 17),
                ..good
            },
            Divisor::Padded
        )
        .is_ok()
    );
}
