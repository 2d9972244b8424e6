-- Pictures that no product uses are looked for by their age, and the products of a picture by its address. From now on `created_at` is
-- when the picture was uploaded last, or put on a product or taken off one.
CREATE INDEX picture_files_by_time ON picture_files (created_at, name);
CREATE INDEX products_by_image ON products (image_url);
