-- Pictures that no product uses are looked for by their age, and the products of a picture by its address. From now on `created_at` is
-- when the picture was uploaded last, or put on a product or taken off one.
CREATE INDEX picture_files_by_time ON picture_files (created_at, name);
-- An image URL may be longer than an entry of a B-tree.
CREATE INDEX products_by_image ON products USING hash (image_url);
