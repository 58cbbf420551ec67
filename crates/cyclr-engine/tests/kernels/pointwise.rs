use cyclr_engine::kernels::{add, dropout, relu, relu_backward, sum_of_squares};

use crate::{Numbers, at_all_levels};

#[test]
fn each_number_by_itself() {
    for len in [1, 8, 1000, 16_385, 50_001] {
        let mut n = Numbers::new(9);
        let (a, b) = (n.values(len), n.values(len));
        let kept: Vec<bool> = (0..len).map(|_| n.below(3) > 0).collect();
        let each = |f: &dyn Fn(usize) -> f32| (0..len).map(f).collect::<Vec<f32>>();
        at_all_levels(
            |cpu| {
                let mut all = vec![b.clone(); 3];
                relu(cpu, &mut all[0]);
                relu_backward(cpu, &a, &mut all[1]);
                add(cpu, &a, &mut all[2]);
                let mut dropped = vec![f32::NAN; len];
                dropout(cpu, &a, &kept, 2.0, &mut dropped);
                all.push(dropped);
                all
            },
            |level, got| {
                assert_eq!(got[0], each(&|i| b[i].max(0.0)), "{level}: relu");
                assert_eq!(
                    got[1],
                    each(&|i| if a[i] > 0.0 { b[i] } else { 0.0 }),
                    "{level}: its backward pass"
                );
                assert_eq!(got[2], each(&|i| b[i] + a[i]), "{level}: add");
                assert_eq!(
                    got[3],
                    each(&|i| if kept[i] { 2.0 * a[i] } else { 0.0 }),
                    "{level}: dropout"
                );
            },
        );
        let exact: f64 = a.iter().map(|&a| f64::from(a) * f64::from(a)).sum();
        assert!((sum_of_squares(&a) - exact).abs() <= 1e-12 * exact);
    }
}
