"""A net in numpy, as a child of cyclr: which of 4 kinds of tokens is the commonest in a sequence of 24?

AdamW with weight decay 0.01, batch 50. Sequences are drawn with a fixed seed; 4,000 to learn from. An embedding, a layer of 64
units with layer norm and GELU, and an output for each kind.
"""

import numpy as np

from training import Training, log_softmax, serve

TOKENS, LENGTH, KINDS, WIDTH, HIDDEN = 32, 24, 4, 8, 64


class Net(Training):
    TRAIN, HELD_OUT, BATCH, DECAY = 4000, 1000, 50, 0.01

    def data(self):
        tokens = np.random.default_rng(15).integers(TOKENS, size=(self.TRAIN + 2 * self.HELD_OUT, LENGTH))
        counts = np.stack([(tokens % KINDS == kind).sum(1) for kind in range(KINDS)], 1)
        return tokens, counts.argmax(1)

    def draw_weights(self):
        def linear(rows, columns):
            edge = rows**-0.5
            return [self.random.uniform(-edge, edge, (rows, columns)), self.random.uniform(-edge, edge, columns)]

        embedding = self.random.standard_normal((TOKENS, WIDTH))
        return [embedding, *linear(LENGTH * WIDTH, HIDDEN), np.ones(HIDDEN), np.zeros(HIDDEN), *linear(HIDDEN, KINDS)]

    def forward(self, tokens):
        embedding, a, b, gain, shift, c, d = self.weights
        flat = embedding[tokens].reshape(len(tokens), -1)
        sums = flat @ a + b
        size = np.sqrt(sums.var(1, keepdims=True) + 1e-5)
        normed = (sums - sums.mean(1, keepdims=True)) / size
        scaled = normed * gain + shift
        bent = np.tanh(np.sqrt(2 / np.pi) * (scaled + 0.044715 * scaled**3))
        hidden = scaled * (1 + bent) / 2
        return (flat, size, normed, scaled, bent, hidden), log_softmax(hidden @ c + d)

    def gradients(self, tokens, kept, scores):
        flat, size, normed, scaled, bent, hidden = kept
        embedding, a, _, gain, _, c, _ = self.weights
        slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * scaled**2)
        to_scaled = (scores @ c.T) * ((1 + bent) + scaled * (1 - bent**2) * slope) / 2
        to_normed = to_scaled * gain
        along = (to_normed * normed).mean(1, keepdims=True)
        to_sums = (to_normed - to_normed.mean(1, keepdims=True) - normed * along) / size
        to_embedding = np.zeros_like(embedding)
        np.add.at(to_embedding, tokens, (to_sums @ a.T).reshape(*tokens.shape, WIDTH))
        layer_norm = [(to_scaled * normed).sum(0), to_scaled.sum(0)]
        return [to_embedding, flat.T @ to_sums, to_sums.sum(0), *layer_norm, hidden.T @ scores, scores.sum(0)]


if __name__ == "__main__":
    serve(Net())
