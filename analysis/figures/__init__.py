"""The paper's figures, drawn from the runs, the data and the model."""
