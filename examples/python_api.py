"""The same way in Python: train, evaluate, look into a batch."""

import lasernet

run = lasernet.train("cnn-lstm", epochs=2, plane="xz", out="runs/api-example")
result = lasernet.evaluate(run)
print("active MSE", result["metrics"]["active"]["mse"])
print("skill against mean-color", result["skill"]["mean-color"]["active"])

loaded = lasernet.load_run(run)
print(f"{lasernet.count_parameters(loaded.model):,} parameters")

data = lasernet.open_dataset(plane="xz", seq_length=3)
batch = data.split("test").fetch([0, 1])
print({name: tuple(value.shape) for name, value in batch.items()})
print("prediction", tuple(loaded.predict(batch).shape))
print("predicted frames in", lasernet.sample(run, n=24))
