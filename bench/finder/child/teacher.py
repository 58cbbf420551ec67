"""A net in numpy that learns from a fixed random net, as a child of cyclr: Adam, batch 32, 24 inputs, 6 classes.

5,000 inputs are drawn with a fixed seed and labelled by a teacher of one hidden layer; a student of 48 hidden units learns them.
"""

import numpy as np

from training import Training, log_softmax, serve

INPUTS, HIDDEN, CLASSES = 24, 48, 6


class Net(Training):
    TRAIN, HELD_OUT, BATCH = 3000, 1000, 32

    def data(self):
        random = np.random.default_rng(15)
        inputs = random.standard_normal((self.TRAIN + 2 * self.HELD_OUT, INPUTS))
        hidden = np.tanh(inputs @ random.standard_normal((INPUTS, 16)) / 2)
        return inputs, (hidden @ random.standard_normal((16, CLASSES))).argmax(1)

    def draw_weights(self):
        draw = lambda rows, columns: self.random.standard_normal((rows, columns)) * np.sqrt(2 / rows)
        return [draw(INPUTS, HIDDEN), np.zeros(HIDDEN), draw(HIDDEN, CLASSES), np.zeros(CLASSES)]

    def forward(self, inputs):
        a, b, c, d = self.weights
        hidden = np.maximum(inputs @ a + b, 0)
        return hidden, log_softmax(hidden @ c + d)

    def gradients(self, inputs, hidden, scores):
        back = (scores @ self.weights[2].T) * (hidden > 0)
        return [inputs.T @ back, back.sum(0), hidden.T @ scores, scores.sum(0)]


if __name__ == "__main__":
    serve(Net())
